//! Images of a request, as far as Anthropic takes them.

use super::sent::Source;
use crate::provider::dialogue::Image;

/// The forms of images that are taken.
const FORMS: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Where the image is.
///
/// # Errors
/// What could not be asked for, in words.
pub(super) fn source<'a>(image: &'a Image<'_>) -> Result<Source<'a>, String> {
    match image {
        Image::Url(url) if url.starts_with("data:") => Err("images whose data: address is not in base64".to_owned()),
        Image::Url(url) => Ok(Source::Url { url }),
        Image::Inline { media_type, base64 } => {
            let form = FORMS.into_iter().find(|form| form.eq_ignore_ascii_case(media_type));
            // What many call a JPEG.
            let form = form.or_else(|| media_type.eq_ignore_ascii_case("image/jpg").then_some("image/jpeg"));
            match form {
                Some(media_type) => Ok(Source::Base64 { media_type, data: base64 }),
                None => Err(format!("images of type {media_type}")),
            }
        }
    }
}
