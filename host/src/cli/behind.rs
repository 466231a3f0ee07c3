//! Lines written by a thread of their own, several at once: whoever writes one waits for no reader, and wakes nobody.
//!
//! The usual appenders wake their thread for each line, which costs a request more than its line does.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Lines that may wait.
const WAITING: usize = 16_384;

/// How long lines gather.
const GATHERING: Duration = Duration::from_millis(20);

/// The thread. To drop it writes what is still to be written.
pub(super) struct Behind {
    lines: SyncSender<Option<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

/// Takes a line at a time.
#[derive(Clone)]
pub(super) struct LineWriter(SyncSender<Option<Vec<u8>>>);

impl Behind {
    /// Begins to write.
    ///
    /// # Errors
    /// When the system has no thread.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, written) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || write(output, &written))?;
        Ok(Self { lines, thread: Some(thread) })
    }

    /// Where lines are put.
    pub(super) fn lines(&self) -> LineWriter {
        LineWriter(self.lines.clone())
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        // It waits for room, and the thread makes some.
        let _ = self.lines.send(None);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Write for LineWriter {
    /// Never waits: a line for which there is no room is lost.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.try_send(Some(line.to_owned()));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes until it is told to end. Where nothing can be written any more, lines are taken all the same.
fn write(mut output: impl Write, lines: &Receiver<Option<Vec<u8>>>) {
    let mut gathered = Vec::new();
    while let Ok(first) = lines.recv() {
        let mut is_over = first.is_none();
        gathered.extend(first.into_iter().flatten());
        if !is_over {
            thread::sleep(GATHERING);
        }
        for line in lines.try_iter() {
            is_over |= line.is_none();
            gathered.extend(line.into_iter().flatten());
        }
        let _ = output.write_all(&gathered).and_then(|()| output.flush());
        gathered.clear();
        if is_over {
            return;
        }
    }
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
        let behind = Behind::start(paper.clone()).unwrap();
        let mut lines = behind.lines();

        let all: Vec<String> = (0..1_000).map(|number| format!("line {number}\n")).collect();
        all.iter().for_each(|line| lines.write_all(line.as_bytes()).unwrap());
        drop(behind);

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
        let behind = Behind::start(Torn).unwrap();

        behind.lines().write_all(b"lost\n").unwrap();

        drop(behind);
    }
}
