//! The lines of a service's log, written by a thread of their own, several at once.
//!
//! The usual appenders wake their thread for each line, which costs a request more than its line does.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use backstop::behind::{Behind, Scribe};

/// Lines that may wait.
const WAITING: usize = 16_384;

/// How long lines gather.
const GATHERING: Duration = Duration::from_millis(20);

/// The log. To drop it writes what is still to be written.
pub(super) struct LogLines(Arc<Behind<Vec<u8>>>);

/// Takes a line at a time.
#[derive(Clone)]
pub(super) struct LineWriter(Arc<Behind<Vec<u8>>>);

/// Where lines end up.
struct Output<W>(W);

impl LogLines {
    /// Begins to write.
    ///
    /// # Errors
    /// When the system has no thread.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        Behind::start("log", WAITING, GATHERING, Output(output), Arc::default()).map(|lines| Self(Arc::new(lines)))
    }

    /// Where lines are put.
    pub(super) fn writer(&self) -> LineWriter {
        LineWriter(Arc::clone(&self.0))
    }
}

impl Drop for LogLines {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Write for LineWriter {
    /// Never waits: a line for which there is no room is lost.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.tell(line.to_owned(), || {});
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write + Send + 'static> Scribe<Vec<u8>> for Output<W> {
    /// Where nothing can be written any more, lines are taken all the same.
    fn write(&mut self, told: Vec<Vec<u8>>) {
        let _ = self.0.write_all(&told.concat()).and_then(|()| self.0.flush());
    }

    fn end(self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was written, and in how many pieces.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut paper = self.0.lock().unwrap();
            paper.0.extend_from_slice(bytes);
            paper.1 += 1;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writes_every_line_in_order_and_several_at_once() {
        let paper = Paper::default();
        let log = LogLines::start(paper.clone()).unwrap();
        let mut lines = log.writer();

        let all: Vec<String> = (0..1_000).map(|number| format!("line {number}\n")).collect();
        all.iter().for_each(|line| lines.write_all(line.as_bytes()).unwrap());
        drop(log);

        let (text, pieces) = paper.0.lock().unwrap().clone();
        assert_eq!(String::from_utf8(text).unwrap(), all.concat());
        assert!(pieces < 500, "{pieces}");
    }

    #[test]
    fn takes_lines_that_nobody_can_write() {
        struct Torn;
        impl Write for Torn {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = LogLines::start(Torn).unwrap();

        log.writer().write_all(b"lost\n").unwrap();

        drop(log);
    }
}
