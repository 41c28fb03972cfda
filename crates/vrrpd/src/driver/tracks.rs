//! What is tracked: scripts, processes and files are watched, and what they report is handed to the core.

use super::World;
use crate::lower::{Plan, TrackSource};
use crate::track::{self, ProcessWatch, TrackReport};
use notice::log::Log;
use notice::script::Programs;
use reactor::boot_time;
use vrrp::track::Kind;
use vrrp::{Router, TrackId, TrackState};

impl World {
    pub(super) fn start_trackers(&mut self) {
        self.trackers.clear();
        while self.reports.take().is_some() {}
        let model = &self.plan.model;
        let used = used_tracks(&self.router);
        let (mut files, mut processes) = (Vec::new(), Vec::new());
        for (position, source) in self.plan.tracks.iter().enumerate() {
            let which = TrackId(position as u32);
            let used = used.contains(&which);
            match *source {
                // The monitor tells of them.
                TrackSource::Interface(_) | TrackSource::Group(_) | TrackSource::Source(_) => {}
                TrackSource::Script(at) => {
                    let Some(script) = model.scripts.get(at) else { continue };
                    let name = script.name.text.as_str();
                    if !used {
                        continue;
                    }
                    let programs = Programs::new(&model.global, &self.log);
                    let Some(program) = programs.prepare(&script.script, &format!("track script {name}"))
                    else {
                        // keepalived takes it out of what is tracked; so does a track that is always well.
                        self.reports.put(TrackReport { which, state: TrackState::Up });
                        continue;
                    };
                    let was_well = self.scripts_well.get(name).copied().unwrap_or(false);
                    let watch = track::watch_script(
                        script.clone(),
                        program,
                        was_well,
                        which,
                        self.reports.clone(),
                        self.not_run.clone(),
                        self.log.clone(),
                    );
                    self.trackers.push(reactor::spawn_task(watch));
                }
                TrackSource::Process(at) => {
                    if let (true, Some(process)) = (used, model.processes.get(at)) {
                        processes.push(ProcessWatch::new(which, process.clone()));
                    }
                }
                TrackSource::File(at) => {
                    if let (true, Some(file)) = (used, model.files.get(at)) {
                        let value = match self.router.config().tracks.get(position).map(|track| track.state) {
                            Some(TrackState::Value(value)) => value,
                            _ => 0,
                        };
                        files.push((which, file.clone(), value));
                    }
                }
            }
        }
        if !files.is_empty() {
            let watch = track::watch_files(files, self.reports.clone(), self.log.clone());
            self.trackers.push(reactor::spawn_task(watch));
        }
        if !processes.is_empty() {
            let watch = track::watch_processes(
                processes,
                self.reports.clone(),
                self.plan.model.global.process_monitor.bytes,
                self.log.clone(),
            );
            self.trackers.push(reactor::spawn_task(watch));
        }
    }

    /// Hands the core what tracks reported.
    pub fn take_reports(&mut self) {
        let now = boot_time();
        while let Some(TrackReport { which, state }) = self.reports.take() {
            if let Some(TrackSource::Script(at)) = self.plan.tracks.get(which.index())
                && let Some(script) = self.plan.model.scripts.get(*at)
            {
                self.scripts_well.insert(script.name.text.clone(), state == TrackState::Up);
            }
            self.track_states.insert(which, state);
            self.router.handle_track(now, which, state);
        }
    }

    /// What something tracked last reported, or was at the start.
    pub fn track_state(&self, track: TrackId) -> Option<TrackState> {
        let first = || self.router.config().tracks.get(track.index()).map(|track| track.state);
        self.track_states.get(&track).copied().or_else(first)
    }
}

/// The initial values of tracked files, which are known at once; files that are to be made are made.
pub(super) fn set_file_values(plan: &Plan, core: &mut vrrp::Config, reload: bool, log: &Log) {
    for (source, track) in plan.tracks.iter().zip(&mut core.tracks) {
        if let TrackSource::File(at) = source
            && let Some(file) = plan.model.files.get(*at)
        {
            track::init_file(file, reload, log);
            track.state = TrackState::Value(track::read_value(&file.path).unwrap_or(0));
        }
    }
}

fn used_tracks(router: &Router) -> Vec<TrackId> {
    let config = router.config();
    let of_routers = config.routers.iter().flat_map(|router| &router.tracks);
    let of_groups = config.groups.iter().flat_map(|group| &group.tracks);
    of_routers
        .chain(of_groups)
        .map(|tracking| tracking.track)
        .filter(|track| {
            config.tracks.get(track.index()).is_some_and(|track| !matches!(track.kind, Kind::Interface(_)))
        })
        .collect()
}
