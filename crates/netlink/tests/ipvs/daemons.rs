//! Sync daemons, timeouts, what is known of the implementation.

use crate::{ipvsadm, sh};
use director::plane::{DataPlane as _, PlaneError, SyncDaemon, SyncRole, Timeouts};
use netlink::ipvs::{Asked, Kernel};
use testkit::uml::guest;

fn plain(role: SyncRole, interface: &str, id: u8) -> SyncDaemon {
    let interface = interface.to_owned();
    SyncDaemon { role, interface, id, max_length: None, group: None, port: None, ttl: None }
}

#[test]
fn sync_daemons_are_those_of_ipvsadm() {
    guest(|| {
        sh(
            "ip link add d0 type dummy; ip addr add 10.0.0.1/24 dev d0; ip link set d0 up; ip -6 addr add fd00::1/64 dev d0 nodad",
        );
        let mut kernel = Kernel::open().unwrap();
        assert_eq!(kernel.sync_daemons(), Ok(Vec::new()));
        assert_eq!(kernel.stop_sync(SyncRole::Master, 1), Err(PlaneError::NoService));
        let nowhere = plain(SyncRole::Master, "nowhere", 1);
        let error = kernel.start_sync(&nowhere).unwrap_err();
        assert_eq!(error, PlaneError::System(19));
        assert_eq!(Asked::StartSync.why(&error), "No such device");

        // What is not said is filled in by the kernel.
        kernel.start_sync(&plain(SyncRole::Master, "d0", 7)).unwrap();
        assert_eq!(kernel.start_sync(&plain(SyncRole::Master, "d0", 7)), Err(PlaneError::Exists));
        kernel.start_sync(&plain(SyncRole::Backup, "d0", 9)).unwrap();
        let filled = |role, id| SyncDaemon {
            max_length: Some(1472),
            group: Some([224, 0, 0, 81].into()),
            port: Some(8848),
            ttl: Some(1),
            ..plain(role, "d0", id)
        };
        let both = [filled(SyncRole::Master, 7), filled(SyncRole::Backup, 9)];
        assert_eq!(kernel.sync_daemons().unwrap(), both);
        assert_eq!(
            ipvsadm("-l --daemon"),
            "master sync daemon (mcast=d0, syncid=7, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n\
             backup sync daemon (mcast=d0, syncid=9, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n"
        );
        kernel.stop_sync(SyncRole::Master, 7).unwrap();
        kernel.stop_sync(SyncRole::Backup, 0).unwrap();
        assert_eq!(ipvsadm("-l --daemon"), "");

        // Everything said, in both families.
        let group = |group: &str| Some(group.parse().unwrap());
        let special = SyncDaemon {
            max_length: Some(1200),
            group: group("224.0.0.99"),
            port: Some(8850),
            ttl: Some(3),
            ..plain(SyncRole::Master, "d0", 255)
        };
        let special6 = SyncDaemon {
            role: SyncRole::Backup,
            group: group("ff02::99"),
            port: Some(60000),
            ..special.clone()
        };
        kernel.start_sync(&special).unwrap();
        kernel.start_sync(&special6).unwrap();
        assert_eq!(kernel.sync_daemons().unwrap(), [special.clone(), special6.clone()]);
        let ours = ipvsadm("-l --daemon");
        kernel.stop_sync(SyncRole::Master, 255).unwrap();
        kernel.stop_sync(SyncRole::Backup, 255).unwrap();
        let common = "--mcast-interface d0 --syncid 255 --sync-maxlen 1200 --mcast-ttl 3";
        ipvsadm(&format!("--start-daemon master {common} --mcast-group 224.0.0.99 --mcast-port 8850"));
        ipvsadm(&format!("--start-daemon backup {common} --mcast-group ff02::99 --mcast-port 60000"));
        assert_eq!(ipvsadm("-l --daemon"), ours);
        assert_eq!(kernel.sync_daemons().unwrap(), [special, special6]);
    });
}

#[test]
fn timeouts_and_information() {
    guest(|| {
        let mut kernel = Kernel::open().unwrap();
        assert_eq!(kernel.timeouts(), Ok(Timeouts { tcp: 900, tcp_fin: 120, udp: 300 }));
        kernel.set_timeouts(&Timeouts { tcp: 7200, tcp_fin: 0, udp: 60 }).unwrap();
        assert_eq!(ipvsadm("-l --timeout"), "Timeout (tcp tcpfin udp): 7200 120 60\n");
        ipvsadm("--set 100 20 30");
        assert_eq!(kernel.timeouts(), Ok(Timeouts { tcp: 100, tcp_fin: 20, udp: 30 }));
        kernel.set_timeouts(&Timeouts::default()).unwrap();
        assert_eq!(kernel.timeouts(), Ok(Timeouts { tcp: 100, tcp_fin: 20, udp: 30 }));

        let info = kernel.info().unwrap();
        let head = ipvsadm("-ln").lines().next().unwrap().to_owned();
        let (major, minor, patch) = info.version;
        let version = format!("version {major}.{minor}.{patch} (size={})", info.connection_table_size);
        assert!(head.ends_with(&version), "{head}");
    });
}
