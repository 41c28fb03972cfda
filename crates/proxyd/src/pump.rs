//! Moving bytes one way between two streams: body framing, copies, splices, timeouts.

use crate::wait::{deadline, until};
use ek_time::Duration;
use http1::{ChunkDecoder, ChunkStep, Limits, write_chunk_size};
use reactor::{Buffer, Pipe, Stream, Timer};
use std::io::{self, ErrorKind, IoSlice};

/// Bodies with at least this much to come are spliced when nothing needs their bytes.
const SPLICE_FROM: u64 = 64 << 10;

/// What is left of a body on the side it is read from.
#[derive(Debug)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunks(Box<ChunkDecoder>),
    /// Everything until the reader's end of stream.
    UntilClose,
}

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    /// As it is: its length is known, or its end is the connection's.
    Plain,
    /// In chunks.
    Chunks,
}

/// Which side failed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The reader ended the stream before the body's end.
    Truncated,
    /// The reader's connection failed.
    Read,
    /// The reader sent nothing for too long.
    ReadTimeout,
    /// What was read is no valid chunked body.
    Malformed,
    /// The writer's connection failed.
    Write,
    /// The writer took nothing for too long.
    WriteTimeout,
}

/// One direction.
pub struct Pump<'a> {
    /// Where bytes come from.
    pub from: &'a Stream,
    /// Where they go.
    pub to: &'a Stream,
    /// What is left to read.
    pub left: &'a mut Left,
    /// How it is written.
    pub framed: Framed,
    /// Bytes read and not written yet.
    pub buffer: &'a mut Buffer,
    /// For this direction's waits.
    pub timer: &'a Timer,
    /// Inactivity allowed to the reader.
    pub read_limit: Option<Duration>,
    /// Inactivity allowed to the writer.
    pub write_limit: Option<Duration>,
    /// Whether bytes may pass without being seen.
    pub splice: bool,
    /// Bytes of the pipe they pass through.
    pub pipe_size: usize,
    /// Called with the payload bytes of each step, once they were written.
    pub moved: &'a mut dyn FnMut(u64),
}

/// A batch of output: pieces of the buffer between pieces of framing.
#[derive(Default)]
struct Batch {
    size_line: Vec<u8>,
    data: Vec<std::ops::Range<usize>>,
    tail: Vec<u8>,
    /// Payload bytes in `data`.
    payload: u64,
    /// Bytes of the buffer that are done with once the batch is written.
    consumed: usize,
    /// The body ends with this batch.
    last: bool,
}

/// Reads in a row before other tasks have their turn.
const TURNS: u32 = 16;

/// Data pieces of one batch; with the framing around them they fit one `sendmsg`.
const PIECES: usize = 32;

impl Pump<'_> {
    /// Moves the whole body; `head` goes out before its first byte, in the same send when it can.
    ///
    /// # Errors
    /// The side that failed. What was written stays written.
    pub async fn run(mut self, mut head: &[u8]) -> Result<(), Fault> {
        // Boxed: most bodies are not chunked and need not be waited for, and every exchange would have to make room.
        if matches!(self.left, Left::Chunks(_)) || self.framed == Framed::Chunks {
            return Box::pin(self.run_chunked(head)).await;
        }
        self.write_at_once(&mut head)?;
        if head.is_empty() && matches!(self.left, Left::Nothing) {
            return Ok(());
        }
        Box::pin(self.run_plain(head)).await
    }

    /// Writes what the socket takes of `head` and of the body that was read with it, in one piece when the buffer has
    /// room before the body.
    fn write_at_once(&mut self, head: &mut &[u8]) -> Result<(), Fault> {
        let take = self.writable();
        if head.is_empty() && take == 0 {
            return Ok(());
        }
        let joined = !head.is_empty() && take > 0 && self.buffer.prepend(head);
        let result = if joined {
            self.to.try_write(self.buffer.data().get(..head.len() + take).unwrap_or_default())
        } else {
            let body = self.buffer.data().get(..take).unwrap_or_default();
            let mut parts = [IoSlice::new(head), IoSlice::new(body)];
            let mut parts = parts.as_mut_slice();
            IoSlice::advance_slices(&mut parts, 0);
            match parts {
                [head, body] if body.is_empty() => self.to.try_write(head),
                parts => self.to.try_write_vectored(parts, false),
            }
        };
        if joined {
            self.buffer.consume(head.len());
        }
        match result {
            Ok(written) => {
                let (of_head, rest) = head.split_at_checked(written).unwrap_or((head, &[]));
                let of_body = written - of_head.len();
                *head = rest;
                self.wrote(of_body);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(()),
            Err(_) => Err(Fault::Write),
        }
    }

    /// Bytes at the start of the buffer that belong to a plain body.
    fn writable(&self) -> usize {
        let available = self.buffer.len();
        match *self.left {
            Left::Length(left) => available.min(usize::try_from(left).unwrap_or(usize::MAX)),
            Left::UntilClose => available,
            Left::Nothing | Left::Chunks(_) => 0,
        }
    }

    /// So many bytes at the start of the buffer were written.
    fn wrote(&mut self, bytes: usize) {
        if bytes > 0 {
            self.buffer.consume(bytes);
            (self.moved)(bytes as u64);
            self.left.shorten(bytes as u64);
        }
    }

    /// A body that is written as it is read.
    async fn run_plain(mut self, mut head: &[u8]) -> Result<(), Fault> {
        for turn in 1_u32.. {
            let take = self.writable();
            self.write_pair(head, take).await?;
            head = &[];
            self.wrote(take);
            if matches!(self.left, Left::Nothing) {
                return Ok(());
            }
            if self.splice_pays() {
                self.splice_rest().await?;
            } else if self.read().await? == 0 {
                return self.at_end();
            }
            if turn % TURNS == 0 {
                reactor::yield_now().await;
            }
        }
        Ok(())
    }

    /// A body that is read or written in chunks.
    async fn run_chunked(mut self, mut head: &[u8]) -> Result<(), Fault> {
        for turn in 1_u32.. {
            let batch = self.next_batch()?;
            if !head.is_empty() || !batch.is_empty() {
                self.write(head, &batch).await?;
                head = &[];
            }
            self.buffer.consume(batch.consumed);
            if batch.payload > 0 {
                (self.moved)(batch.payload);
            }
            if batch.last {
                return Ok(());
            }
            // A full batch leaves something in the buffer that can be written without reading more.
            if batch.data.len() < PIECES && self.read().await? == 0 {
                self.at_end()?;
                if self.framed == Framed::Chunks {
                    let end = Batch { tail: b"0\r\n\r\n".to_vec(), ..Batch::default() };
                    self.write(&[], &end).await?;
                }
                return Ok(());
            }
            if turn % TURNS == 0 {
                reactor::yield_now().await;
            }
        }
        Ok(())
    }

    /// The reader's stream ended: whether the body may.
    fn at_end(&mut self) -> Result<(), Fault> {
        if !matches!(self.left, Left::UntilClose) {
            return Err(Fault::Truncated);
        }
        *self.left = Left::Nothing;
        Ok(())
    }

    /// Writes `head` and the first `take` bytes of the buffer.
    async fn write_pair(&mut self, head: &[u8], take: usize) -> Result<(), Fault> {
        let body = self.buffer.data().get(..take).unwrap_or_default();
        let mut slices = [IoSlice::new(head), IoSlice::new(body)];
        let mut slices = slices.as_mut_slice();
        IoSlice::advance_slices(&mut slices, 0);
        write_all(self.to, self.timer, self.write_limit, slices).await
    }

    /// Takes from the buffer what can be written now.
    fn next_batch(&mut self) -> Result<Batch, Fault> {
        let mut batch = Batch::default();
        let available = self.buffer.data().len();
        match self.left {
            Left::Nothing => batch.last = true,
            Left::Length(left) => {
                let take = available.min(usize::try_from(*left).unwrap_or(usize::MAX));
                batch.take(0, take);
                *left -= take as u64;
                if *left == 0 {
                    *self.left = Left::Nothing;
                    batch.last = true;
                }
            }
            Left::UntilClose => batch.take(0, available),
            Left::Chunks(decoder) => {
                while batch.data.len() < PIECES && !batch.last {
                    let Some(rest) = self.buffer.data_mut().get_mut(batch.consumed..) else { break };
                    if rest.is_empty() {
                        break;
                    }
                    let at = batch.consumed;
                    match decoder.feed(rest, &Limits::default()).map_err(|_| Fault::Malformed)? {
                        ChunkStep::NeedMore { consumed } => {
                            batch.consumed += consumed;
                            break;
                        }
                        ChunkStep::Data { consumed, data } => {
                            batch.consumed += consumed;
                            batch.payload += data.len() as u64;
                            batch.data.push(at + data.start..at + data.end);
                        }
                        ChunkStep::End { consumed, .. } => {
                            if self.framed == Framed::Chunks {
                                batch.tail.extend_from_slice(b"0\r\n");
                                let section = self.buffer.data().get(at..at + consumed).unwrap_or_default();
                                for (name, value) in decoder.trailers().pairs(section) {
                                    batch.payload += (name.len() + value.len()) as u64;
                                    for part in [name, b": ", value, b"\r\n"] {
                                        batch.tail.extend_from_slice(part);
                                    }
                                }
                                batch.tail.extend_from_slice(b"\r\n");
                            }
                            batch.payload += 1;
                            batch.consumed += consumed;
                            batch.last = true;
                        }
                    }
                }
                if batch.last {
                    *self.left = Left::Nothing;
                }
            }
        }
        let data: u64 = batch.data.iter().map(|r| r.len() as u64).sum();
        if self.framed == Framed::Chunks && data > 0 {
            write_chunk_size(data, &mut batch.size_line);
            batch.tail.splice(0..0, *b"\r\n");
        }
        if self.framed == Framed::Chunks && batch.last && !matches!(self.left, Left::Nothing) {
            batch.tail.extend_from_slice(b"0\r\n\r\n");
        }
        Ok(batch)
    }

    async fn write(&mut self, head: &[u8], batch: &Batch) -> Result<(), Fault> {
        let bytes = self.buffer.data();
        let mut slices = [IoSlice::new(&[]); PIECES + 3];
        let pieces = [head, &batch.size_line]
            .into_iter()
            .chain(batch.data.iter().map(|range| bytes.get(range.clone()).unwrap_or_default()))
            .chain([batch.tail.as_slice()])
            .filter(|piece| !piece.is_empty());
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(pieces) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        let slices = slices.get_mut(..count).unwrap_or_default();
        write_all(self.to, self.timer, self.write_limit, slices).await
    }

    /// Reads more into the buffer; 0 is the end of the stream. An empty buffer is not held while nothing comes.
    async fn read(&mut self) -> Result<usize, Fault> {
        let size = self.buffer.size();
        self.buffer.compact();
        loop {
            match read_into(self.from, self.buffer) {
                Ok(n) => return Ok(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let idle = self.buffer.is_empty();
                    if idle {
                        *self.buffer = Buffer::take(0);
                    }
                    let waited =
                        until(self.timer, deadline(self.read_limit), |cx| self.from.poll_readable(cx)).await;
                    if idle {
                        *self.buffer = Buffer::take(size);
                    }
                    waited.map_err(|_| Fault::ReadTimeout)?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Fault::Read),
            }
        }
    }

    fn splice_pays(&self) -> bool {
        self.splice
            && self.buffer.is_empty()
            && match *self.left {
                Left::Length(left) => left >= SPLICE_FROM,
                _ => false,
            }
    }

    /// Moves the rest of a body of known length through a pipe.
    async fn splice_rest(&mut self) -> Result<(), Fault> {
        let Left::Length(left) = self.left else { return Ok(()) };
        let Ok(mut pipe) = Pipe::take(self.pipe_size) else {
            self.splice = false;
            return Ok(());
        };
        while *left > 0 {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            let taken = match self.from.splice_to(&mut pipe, most) {
                Ok(0) => return Err(Fault::Truncated),
                Ok(n) => n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    until(self.timer, deadline(self.read_limit), |cx| self.from.poll_readable(cx))
                        .await
                        .map_err(|_| Fault::ReadTimeout)?;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(Fault::Read),
            };
            *left -= taken;
            drain(&mut pipe, self.to, self.timer, self.write_limit).await?;
            (self.moved)(taken);
        }
        *self.left = Left::Nothing;
        pipe.give_back();
        Ok(())
    }
}

/// `tune.pipesize`, 1 MiB unless it says otherwise.
pub fn pipe_size(global: &haproxy_cfg::model::Global) -> usize {
    global.tune.pipesize.map_or(1 << 20, |size| size as usize)
}

/// Writes all of `slices`.
pub async fn write_all(
    to: &Stream,
    timer: &Timer,
    limit: Option<Duration>,
    mut slices: &mut [IoSlice<'_>],
) -> Result<(), Fault> {
    while !slices.is_empty() {
        match to.try_write_vectored(slices, false) {
            Ok(n) => IoSlice::advance_slices(&mut slices, n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                until(timer, deadline(limit), |cx| to.poll_writable(cx))
                    .await
                    .map_err(|_| Fault::WriteTimeout)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(Fault::Write),
        }
    }
    Ok(())
}

/// Writes all that is in the pipe.
async fn drain(pipe: &mut Pipe, to: &Stream, timer: &Timer, limit: Option<Duration>) -> Result<(), Fault> {
    while !pipe.is_empty() {
        match to.splice_from(pipe, false) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                until(timer, deadline(limit), |cx| to.poll_writable(cx))
                    .await
                    .map_err(|_| Fault::WriteTimeout)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(Fault::Write),
        }
    }
    Ok(())
}

/// One read into the buffer's spare room.
pub fn read_into(from: &Stream, buffer: &mut Buffer) -> io::Result<usize> {
    let n = from.try_read(buffer.spare_mut())?;
    buffer.advance(n);
    Ok(n)
}

impl Left {
    /// So many bytes of the body were moved on.
    fn shorten(&mut self, by: u64) {
        if let Self::Length(left) = self {
            *left = left.saturating_sub(by);
            if *left == 0 {
                *self = Self::Nothing;
            }
        }
    }
}

impl Batch {
    fn take(&mut self, start: usize, len: usize) {
        if len > 0 {
            self.data.push(start..start + len);
        }
        self.payload += len as u64;
        self.consumed += len;
    }

    fn is_empty(&self) -> bool {
        self.data.is_empty() && self.tail.is_empty()
    }
}
