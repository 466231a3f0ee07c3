//! `backstop serve`.

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  backstop serve                             on the address of the configuration, else 127.0.0.1:7878
  backstop serve --listen 127.0.0.1:0        on any free port; the first line says which
  OPENAI_BASE_URL=http://127.0.0.1:7878/v1 your-program";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on [default: the configuration's, else 127.0.0.1:7878]. Beyond this machine it takes a key:
    /// `backstop keys create NAME`.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
}
