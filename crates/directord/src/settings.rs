//! What is set in IPVS besides the table: timeouts of connections, and their synchronisation.

use director::plane::{DataPlane, SyncDaemon, SyncRole, Timeouts};
use ek_time::Duration;
use keepalived_conf::model;
use netlink::ipvs::Asked;
use notice::log::Log;

/// What was set here, and what was there before.
#[derive(Debug, Default)]
pub struct Settings {
    original: Option<Timeouts>,
    sync: Option<model::LvsSync>,
}

impl Settings {
    /// Makes it as the configuration says; what an earlier one said and this one does not is set back.
    pub fn apply(&mut self, global: &model::Global, plane: &mut dyn DataPlane, log: &Log) {
        self.set_timeouts(global.lvs_timeouts, plane, log);
        self.synchronise(global.lvs_sync.as_ref(), plane, log);
    }

    /// Sets everything back.
    pub fn restore(&mut self, plane: &mut dyn DataPlane, log: &Log) {
        self.synchronise(None, plane, log);
        self.set_timeouts(model::LvsTimeouts::default(), plane, log);
    }

    fn set_timeouts(&mut self, wanted: model::LvsTimeouts, plane: &mut dyn DataPlane, log: &Log) {
        let seconds =
            |span: Option<Duration>| span.map_or(0, |span| u32::try_from(span.as_secs()).unwrap_or(u32::MAX));
        let wanted =
            Timeouts { tcp: seconds(wanted.tcp), tcp_fin: seconds(wanted.tcp_fin), udp: seconds(wanted.udp) };
        let none = wanted == Timeouts::default();
        if none && self.original.is_none() {
            return;
        }
        if self.original.is_none() {
            match plane.timeouts() {
                Ok(timeouts) => self.original = Some(timeouts),
                Err(error) => log.info(format_args!("Unable to read IPVS timeouts - {error}")),
            }
        }
        let original = if none { self.original.take() } else { self.original }.unwrap_or_default();
        let or = |wanted: u32, original: u32| if wanted == 0 { original } else { wanted };
        let set = Timeouts {
            tcp: or(wanted.tcp, original.tcp),
            tcp_fin: or(wanted.tcp_fin, original.tcp_fin),
            udp: or(wanted.udp, original.udp),
        };
        if let Err(error) = plane.set_timeouts(&set) {
            log.info(Asked::SetTimeouts.line(&error));
        }
    }

    /// Daemons that follow no virtual router run always, both. Those that follow one are the VRRP process's.
    fn synchronise(&mut self, wanted: Option<&model::LvsSync>, plane: &mut dyn DataPlane, log: &Log) {
        let wanted = wanted.filter(|sync| sync.instance.is_none());
        if self.sync.as_ref().map(plain) == wanted.map(plain) {
            return;
        }
        self.sync = wanted.cloned();
        let id = wanted.and_then(|sync| sync.id).unwrap_or(0);
        for role in [SyncRole::Master, SyncRole::Backup] {
            // There is one only if it was left by a predecessor, or started by another configuration.
            let _ = plane.stop_sync(role, id);
        }
        let Some(sync) = wanted else { return };
        for role in [SyncRole::Master, SyncRole::Backup] {
            if let Err(error) = plane.start_sync(&daemon(sync, role)) {
                log.info(Asked::StartSync.line(&error));
            }
        }
    }
}

/// Without places in the file.
fn plain(sync: &model::LvsSync) -> (&str, SyncDaemon) {
    (&sync.interface.text, daemon(sync, SyncRole::Master))
}

fn daemon(sync: &model::LvsSync, role: SyncRole) -> SyncDaemon {
    SyncDaemon {
        role,
        interface: sync.interface.text.clone(),
        id: sync.id.unwrap_or(0),
        max_length: sync.max_length,
        group: sync.group,
        port: sync.port,
        ttl: sync.ttl,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use director::plane::Recording;

    #[test]
    fn what_was_set_is_set_back() {
        let log = Log::new(notice::log::LogOptions { facility: None, ..Default::default() });
        let mut plane = Recording::new();
        let mut settings = Settings::default();
        let mut global = model::Global::default();
        global.lvs_timeouts.udp = Some(Duration::from_secs(7));
        let name = model::Name { text: "eth0".to_owned(), place: None };
        global.lvs_sync = Some(model::LvsSync {
            interface: name,
            instance: None,
            id: Some(3),
            max_length: None,
            port: None,
            ttl: None,
            group: None,
        });
        settings.apply(&global, &mut plane, &log);
        assert_eq!(plane.timeouts(), Ok(Timeouts { tcp: 900, tcp_fin: 120, udp: 7 }));
        assert_eq!(plane.sync_daemons().unwrap().len(), 2);
        global.lvs_timeouts.udp = None;
        global.lvs_timeouts.tcp = Some(Duration::from_secs(8));
        settings.apply(&global, &mut plane, &log);
        assert_eq!(plane.timeouts(), Ok(Timeouts { tcp: 8, tcp_fin: 120, udp: 300 }));
        settings.restore(&mut plane, &log);
        assert_eq!(plane.timeouts(), Ok(Timeouts { tcp: 900, tcp_fin: 120, udp: 300 }));
        assert_eq!(plane.sync_daemons().unwrap(), []);
    }
}
