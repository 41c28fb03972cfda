//! What the process is allowed and how it is scheduled, as the kernel tells it.

use crate::*;

fn status(pid: u32, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    line.unwrap_or_else(|| panic!("no {field}")).trim().to_owned()
}

/// Nice value, real-time priority and policy.
fn scheduling(pid: u32) -> (i32, u32, u32) {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = text.rsplit_once(") ").unwrap().1.split(' ').map(str::to_owned).collect();
    // Fields 19, 40 and 41 of proc(5), counted from the third.
    (fields[16].parse().unwrap(), fields[37].parse().unwrap(), fields[38].parse().unwrap())
}

#[test]
fn priorities_memory_processors_limits_and_capabilities_are_as_configured() {
    let (lab, a, _) = pair();
    let config = "global_defs {\n vrrp_rt_priority 12\n vrrp_rlimit_rttime 200000\n vrrp_no_swap\n vrrp_cpu_affinity 0\n \
                  vrrp_process_name my_vrrp\n vrrp_netlink_cmd_rcv_bufs 300000\n vrrp_netlink_monitor_rcv_bufs 400000\n \
                  vrrp_rx_bufs_policy ADVERT\n}\n"
        .to_owned()
        + &instance("");
    let role = start(&lab, &a, &config);
    says(&role, MASTER);
    let pid = role.pid();
    assert_eq!(status(pid, "Name"), "my_vrrp");
    let (_, priority, policy) = scheduling(pid);
    assert_eq!((priority, policy), (12, 2), "round robin: {}", role.text());
    assert_ne!(status(pid, "VmLck"), "0 kB");
    assert_eq!(status(pid, "Cpus_allowed_list"), "0");
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max realtime timeout")).unwrap();
    assert!(limit.contains("200000"), "{limit}");
    // NET_ADMIN 12, NET_RAW 13, SETUID 7, SETGID 6, KILL 5, IPC_LOCK 14, DAC_OVERRIDE 1.
    let expected = [12, 13, 7, 6, 5, 14, 1].iter().fold(0_u64, |set, bit| set | 1 << bit);
    for set in ["CapEff", "CapPrm"] {
        assert_eq!(u64::from_str_radix(&status(pid, set), 16).unwrap(), expected, "{set}");
    }
    assert!(!role.text().contains("Unable to"), "{}", role.text());
}

#[test]
fn scheduling_changes_with_a_reload_as_far_as_it_may() {
    let (lab, a, _) = pair();
    let config = |more: &str| format!("global_defs {{\n {more}\n}}\n{}", instance(""));
    let role = start(&lab, &a, &config("vrrp_rt_priority 12"));
    says(&role, MASTER);
    assert_eq!(scheduling(role.pid()).1, 12);
    reload(&lab, &a, &role, &config("vrrp_cpu_affinity 0\n vrrp_priority 3"));
    eventually("it is ordinary", || scheduling(role.pid()) == (3, 0, 0));
    eventually("it has one processor", || status(role.pid(), "Cpus_allowed_list") == "0");
    reload(&lab, &a, &role, &config("vrrp_rt_priority 20"));
    says(&role, "Unable to set realtime priority");
    assert_eq!(scheduling(role.pid()).1, 0);
}

#[test]
fn the_nice_value_is_set_and_a_late_timer_raises_the_priority() {
    let (lab, a, _) = pair();
    let config =
        "global_defs {\n vrrp_priority -7\n max_auto_priority 30\n min_auto_priority_delay 100000\n}\n"
            .to_owned()
            + &instance("");
    let role = start(&lab, &a, &config);
    says(&role, MASTER);
    assert_eq!(scheduling(role.pid()), (-7, 0, 0));
    role.signal(nix::sys::signal::Signal::SIGSTOP);
    eventually("it stops", || status(role.pid(), "State").starts_with('T'));
    // Longer than the delay allowed, and than the interval of adverts.
    std::thread::park_timeout(std::time::Duration::from_secs(1));
    role.signal(nix::sys::signal::Signal::SIGCONT);
    says(&role, "real-time priority is now 1");
    assert_eq!(scheduling(role.pid()).1, 1);
}

fn uptime() -> f64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn instances_start_after_the_delay() {
    let (lab, a, _) = pair();
    let begin = uptime();
    let role = start(&lab, &a, &format!("global_defs {{\n vrrp_startup_delay 3\n}}\n{}", instance("")));
    says(&role, MASTER);
    assert!(uptime() - begin >= 2.9, "{}", role.text());
}

/// The machine has booted long ago; in a time namespace it has not.
#[test]
fn instances_start_so_long_after_boot() {
    let (lab, a, _) = pair();
    let file =
        lab.file("boot.conf", &format!("global_defs {{\n vrrp_delay_after_boot 30\n}}\n{}", instance("")));
    let begin = uptime();
    // The clock stands at 27 seconds, so three are left.
    let offset = format!("-{}", begin as u64 - 27);
    let words = [
        "--time",
        "--boottime",
        &offset,
        "--",
        &program().display().to_string(),
        &file.display().to_string(),
    ]
    .map(str::to_owned);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let role = a.start(&lab, "boot.log", "unshare", &words);
    says(&role, MASTER);
    assert!(uptime() - begin >= 2.0, "{}", role.text());
    assert!(uptime() - begin < 20.0, "the delay counts from the boot: {}", role.text());
}
