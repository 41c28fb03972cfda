//! Mail about changes of state (`smtp_alert`), over SMTP.

mod conversation;

use crate::log::{Log, Stamp, day_name, month_name};
use conversation::{Conversation, Step};
use ek_time::{Duration, WallTime};
use keepalived_conf::model;
use reactor::{ConnectOptions, SockAddr, Stream, Task, timeout_at};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;

/// Where mail goes, and how it introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `smtp_server`.
    pub server: SocketAddr,
    /// `smtp_helo_name`.
    pub helo: String,
    /// `notification_email_from`.
    pub sender: String,
    /// `notification_email`; at least one.
    pub recipients: Vec<String>,
    /// `smtp_connect_timeout`: for the connection, and for each answer.
    pub timeout: Duration,
    /// `router_id`: stands before each subject.
    pub router_id: String,
}

/// Mails kept while the server does not take them.
const MOST_WAITING: usize = 64;

/// Sends mail, one after the other and in order.
#[derive(Clone)]
pub struct Mailer(Rc<Inner>);

struct Inner {
    settings: Settings,
    log: Rc<Log>,
    waiting: RefCell<VecDeque<Mail>>,
    /// The task that sends what waits.
    task: RefCell<Option<Task<()>>>,
    busy: Cell<bool>,
    dropped: Cell<u64>,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// One mail.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mail {
    subject: String,
    body: String,
}

impl Settings {
    /// Of a configuration; `None` when it sends no mail. `host` is this host's name.
    ///
    /// # Errors
    /// When the server's name cannot be resolved; the text is for the log.
    pub fn new(global: &model::Global, host: &str) -> Result<Option<Self>, String> {
        let mail = &global.mail;
        let Some(server) = &mail.server else { return Ok(None) };
        if mail.recipients.is_empty() {
            return Ok(None);
        }
        let name = server.host.text.as_str();
        let address = (name, server.port)
            .to_socket_addrs()
            .ok()
            .and_then(|mut addresses| addresses.next())
            .ok_or_else(|| format!("Invalid SMTP server address {name}"))?;
        Ok(Some(Self {
            server: address,
            helo: mail.helo_name.clone().unwrap_or_else(|| host.to_owned()),
            sender: mail.sender.clone().unwrap_or_else(|| format!("keepalived@{host}")),
            recipients: mail.recipients.iter().map(|name| name.text.clone()).collect(),
            timeout: mail.connect_timeout,
            router_id: global.router_id.clone().unwrap_or_else(|| host.to_owned()),
        }))
    }

    /// The server as keepalived's lines show it.
    fn shown(&self) -> String {
        format!("[{}]:{}", self.server.ip(), self.server.port())
    }
}

impl Mailer {
    /// One that sends to `settings.server`, and says in the log how it went.
    pub fn new(settings: Settings, log: Rc<Log>) -> Self {
        Self(Rc::new(Inner {
            settings,
            log,
            waiting: RefCell::new(VecDeque::new()),
            task: RefCell::new(None),
            busy: Cell::new(false),
            dropped: Cell::new(0),
        }))
    }

    /// Sends a mail about `what` (`VRRP Instance VI_1`): `event` closes the subject, `body` is its only line. With too many
    /// waiting it is dropped, which the log says when the next one goes.
    pub fn send(&self, what: &str, event: &str, body: &str) {
        self.send_about(&format!("{what} - {event}"), body);
    }

    /// The same with a whole subject, before which `router_id` is put.
    pub fn send_about(&self, subject: &str, body: &str) {
        let inner = &self.0;
        if inner.waiting.borrow().len() >= MOST_WAITING {
            inner.dropped.set(inner.dropped.get() + 1);
            return;
        }
        let subject = format!("[{}] {subject}", inner.settings.router_id);
        inner.waiting.borrow_mut().push_back(Mail { subject, body: body.to_owned() });
        if !inner.busy.replace(true) {
            let weak = Rc::downgrade(inner);
            *inner.task.borrow_mut() = Some(reactor::spawn_task(async move {
                while let Some(inner) = weak.upgrade() {
                    let next = inner.waiting.borrow_mut().pop_front();
                    let Some(mail) = next else {
                        inner.busy.set(false);
                        return;
                    };
                    inner.deliver(&mail).await;
                }
            }));
        }
    }

    /// Whether everything was sent or given up.
    pub fn is_idle(&self) -> bool {
        !self.0.busy.get()
    }
}

impl Inner {
    async fn deliver(&self, mail: &Mail) {
        let dropped = self.dropped.take();
        if dropped > 0 {
            self.log
                .warning(format_args!("{dropped} SMTP alerts dropped, the server did not take them in time"));
        }
        let date = rfc5322_date(reactor::wall());
        let server = self.settings.shown();
        let mut conversation = Conversation::new(&self.settings, &mail.subject, &mail.body, &date);
        match self.talk(&mut conversation, &server).await {
            Ok(()) => self.log.info("SMTP alert successfully sent."),
            Err(line) => self.log.info(line),
        }
    }

    /// Has the conversation; an error is a line for the log.
    async fn talk(&self, conversation: &mut Conversation<'_>, server: &str) -> Result<(), String> {
        let deadline = || reactor::now() + self.settings.timeout;
        let refused = |_: io::Error| format!("SMTP connection ERROR to {server}.");
        let stream = Stream::connect(&SockAddr::Ip(self.settings.server), &ConnectOptions::default())
            .map_err(refused)?;
        timeout_at(deadline(), stream.connected())
            .await
            .map_err(|_| format!("Timeout connecting SMTP server {server}."))?
            .map_err(refused)?;
        self.log.info(format_args!("Remote SMTP server {server} connected."));
        let mut buffer = [0; 512];
        let mut to_send: Vec<u8> = Vec::new();
        loop {
            while !to_send.is_empty() {
                match stream.try_write(&to_send) {
                    Ok(count) => drop(to_send.drain(..count)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        timeout_at(deadline(), stream.writable())
                            .await
                            .map_err(|_| format!("Timeout sending data to remote SMTP server {server}."))?
                    }
                    Err(_) => return Err(format!("Can not send data to remote SMTP server {server}.")),
                }
            }
            if conversation.is_over() {
                return Ok(());
            }
            let count = match stream.try_read(&mut buffer) {
                Ok(0) if conversation.is_sent() => return Ok(()),
                Ok(0) => return Err(format!("Remote SMTP server {server} has closed the connection.")),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    timeout_at(deadline(), stream.readable())
                        .await
                        .map_err(|_| format!("Timeout reading data to remote SMTP server {server}."))?;
                    continue;
                }
                Err(_) if conversation.is_sent() => return Ok(()),
                Err(_) => return Err(format!("Error reading data from remote SMTP server {server}.")),
            };
            match conversation.receive(buffer.get(..count).unwrap_or_default(), &mut to_send) {
                Step::Continue => {}
                Step::Refused { command, code } => {
                    // Said without waiting whether it is heard.
                    let _ = stream.try_write(b"QUIT\r\n");
                    let at = match command {
                        "connect" => "Error connecting".to_owned(),
                        command => format!("Error processing {command} cmd on"),
                    };
                    return Err(format!("{at} SMTP server {server}. SMTP status code = {code}"));
                }
                Step::Nonsense => {
                    return Err(format!(
                        "Received buffer from remote SMTP server {server} overflow our get read buffer length."
                    ));
                }
            }
        }
    }
}

/// `Fri, 20 Nov 2026 18:57:37 +0000`
fn rfc5322_date(wall: WallTime) -> String {
    let civil = Stamp(wall).0.local();
    let offset = wall.local_offset / 60;
    let sign = if offset < 0 { '-' } else { '+' };
    format!(
        "{}, {:02} {} {} {:02}:{:02}:{:02} {sign}{:02}{:02}",
        day_name(wall),
        civil.day,
        month_name(civil.month),
        civil.year,
        civil.hour,
        civil.minute,
        civil.second,
        offset.abs() / 60,
        offset.abs() % 60
    )
}

#[cfg(test)]
mod tests;
