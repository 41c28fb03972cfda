use crate::{index, pair};
use ek_time::Duration;
use netlink::address::{self, Address};
use netlink::{Change, Client, Error, Event, Interests, Monitor, Prefix, Protocol};
use testkit::lab::Host;

/// Runs a future in a host, on a reactor of its own, for at most some seconds.
fn inside<T: Send>(host: &Host, work: impl AsyncFnOnce() -> T + Send) -> T {
    host.inside(|| {
        reactor::run(reactor::Settings::default(), async {
            let until = reactor::now() + Duration::from_secs(20);
            reactor::timeout_at(until, work()).await.expect("nothing more was told")
        })
        .unwrap()
    })
}

/// The events up to the first that `is` so.
async fn until(monitor: &mut Monitor, mut is: impl FnMut(&Event) -> bool) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let event = monitor.next().await.unwrap();
        let last = is(&event);
        events.push(event);
        if last {
            return events;
        }
    }
}

fn vip(link: u32, last: u8) -> Address {
    Address::new(link, Prefix::new([192, 0, 2, last].into(), 32))
}

#[test]
fn everything_is_told_and_then_what_changes() {
    let (lab, a) = pair();
    let e0 = index(&a, "e0");
    inside(&a, async || {
        let mut monitor = Monitor::open(Interests::ALL).unwrap();
        let mut client = Client::open(Protocol::Route).unwrap();
        // Before the first listing, but after the subscription: it must not fall between the two.
        client.run(address::add(&vip(e0, 1))).unwrap();
        let start = until(&mut monitor, |event| *event == Event::Synchronised).await;
        let is_vip =
            |event: &Event, last| matches!(event, Event::Address(_, a) if a.local == vip(e0, last).local);
        assert!(start.iter().any(|event| is_vip(event, 1)));
        let names: Vec<_> = start
            .iter()
            .filter_map(|e| match e {
                Event::Link(Change::Present, link) => Some(link.name.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["lo", "e0"]);
        assert!(start.iter().any(|e| matches!(e, Event::Route(Change::Present, _))));
        assert_eq!(start.iter().filter(|e| matches!(e, Event::Rule(Change::Present, _))).count(), 5);

        client.run(address::add(&vip(e0, 2))).unwrap();
        until(&mut monitor, |e| is_vip(e, 2) && matches!(e, Event::Address(Change::New, _))).await;
        client.run(address::delete(&vip(e0, 2))).unwrap();
        until(&mut monitor, |e| is_vip(e, 2) && matches!(e, Event::Address(Change::Deleted, _))).await;

        a.ip("route add 198.51.100.0/24 via 10.20.0.2");
        until(
            &mut monitor,
            |e| matches!(e, Event::Route(Change::New, r) if r.destination.to_string() == "198.51.100.0/24"),
        )
        .await;
        a.ip("rule add pref 99 table 7");
        until(&mut monitor, |e| matches!(e, Event::Rule(Change::New, r) if r.priority == Some(99))).await;
        a.ip("rule del pref 99");
        until(&mut monitor, |e| matches!(e, Event::Rule(Change::Deleted, r) if r.priority == Some(99))).await;

        lab.unplug("lan", 1);
        until(
            &mut monitor,
            |e| matches!(e, Event::Link(Change::New, l) if l.index == e0 && !l.is_usable() && l.flags.up()),
        )
        .await;
        lab.plug("lan", 1);
        until(&mut monitor, |e| matches!(e, Event::Link(Change::New, l) if l.index == e0 && l.is_usable()))
            .await;
        a.ip("link add d0 type veth peer name d1");
        until(&mut monitor, |e| matches!(e, Event::Link(Change::New, l) if l.name == "d0")).await;
        a.ip("link del d0");
        until(&mut monitor, |e| matches!(e, Event::Link(Change::Deleted, l) if l.name == "d0")).await;
    });
}

#[test]
fn lost_news_are_noticed_and_everything_is_told_again() {
    let (_lab, a) = pair();
    let e0 = index(&a, "e0");
    inside(&a, async || {
        let mut monitor = Monitor::open(Interests { routes: false, rules: false, ..Interests::ALL }).unwrap();
        until(&mut monitor, |event| *event == Event::Synchronised).await;
        monitor.set_receive_buffer(2048).unwrap();
        let mut client = Client::open(Protocol::Route).unwrap();
        let many = |operation: fn(&Address) -> netlink::Operation<()>| {
            (0..200).map(|n| operation(&vip(e0, n))).collect()
        };
        assert!(client.run_all(many(address::add)).iter().all(Result::is_ok));
        until(&mut monitor, |event| *event == Event::Resync).await;
        let again = until(&mut monitor, |event| *event == Event::Synchronised).await;
        let vips = again
            .iter()
            .filter(|e| matches!(e, Event::Address(Change::Present, a) if a.local.length == 32))
            .count();
        assert!(vips >= 200, "{vips}");
        // It goes on with news.
        client.run(address::delete(&vip(e0, 1))).unwrap();
        until(
            &mut monitor,
            |e| matches!(e, Event::Address(Change::Deleted, a) if a.local == vip(e0, 1).local),
        )
        .await;
    });
}

#[test]
fn of_several_at_once_each_is_done_or_not() {
    let (_lab, a) = pair();
    let e0 = index(&a, "e0");
    a.inside(|| {
        let mut client = Client::open(Protocol::Route).unwrap();
        let add = |last| address::add(&vip(e0, last));
        let results: Vec<Result<(), Error>> = client.run_all(vec![add(1), add(1), add(2)]);
        assert!(results[0].is_ok() && results[1].as_ref().unwrap_err().is_present() && results[2].is_ok());
        let addresses = client.run(address::list(None)).unwrap();
        assert_eq!(addresses.iter().filter(|address| address.local.length == 32).count(), 2);
    });
}
