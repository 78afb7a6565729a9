//! The file while a server runs: read again when it changes, and never an older version instead of it.
//!
//! Requests follow users, headers and the rate limit; handshakes follow everything about TLS. A file that cannot be
//! read lets nobody in: requests get 500, handshakes fail. Whether there is TLS at all is settled at the start.

use core::fmt;
use core::time::Duration;
use std::format;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use std::vec::Vec;

use super::check::{directory_of, open, placed};
use super::doubt::{Doubt, SETTLES_AFTER};
use super::file::{Reading, Scope, WebConfig, read};
use super::login::{Outcome, Users, Verifier};
use super::metrics::{LAST_READ_SUCCESSFUL, READ_FAILURES};
use super::rate_limit::{Rate, RateLimit};
use crate::Error;
use crate::http::gate::{Admission, Gate, Verdict};
use crate::server::Reread;
use crate::tls::{Clients, Context, Failed, Keeper, Loaded, Settings, reload_failed};
use crate::watched::Watched;

/// A web configuration file in effect. Shared by all threads of a server.
pub(crate) struct Live {
    path: PathBuf,
    /// Whether the server speaks TLS. Fixed at the start.
    encrypts: bool,
    began: Instant,
    verifier: Verifier,
    rate: RateLimit,
    state: Mutex<State>,
}

struct State {
    file: Watched,
    /// The version of the file that is in effect; why there is none.
    current: Result<Followed, String>,
    /// Who had to log in by the last version that was believed.
    users: Option<Arc<Users>>,
    /// What was asked of clients by the last version that was believed, if there is TLS.
    clients: Option<Clients>,
    /// That the file has lost its users. Until that is believed it counts as unreadable if it is empty; if not, the
    /// users whom it had still have to log in.
    opens: Doubt,
    /// That the file asks for less of clients. Until that is believed handshakes fail.
    lowers: Doubt,
    tls: Tls,
    /// What was logged last of the file, of its TLS section and of its users, so that it is said once.
    said: [String; 3],
}

/// What a version of the file means for requests and handshakes.
struct Followed {
    users: Option<Arc<Users>>,
    headers: Option<Arc<[u8]>>,
    config: WebConfig,
    /// Why there is no context for handshakes, if it is not for the certificates.
    handshakes: Result<(), String>,
    /// Until when.
    until: &'static str,
    /// What is wrong with hashes of users. Nothing, mostly.
    barred: String,
}

/// What the TLS settings have led to.
enum Tls {
    /// Not tried yet.
    Unknown,
    Loaded(Settings, Loaded),
    Failed(Settings, Failed),
}

impl Live {
    /// Reads the file for the first time; so many requests may wait for a password to be verified.
    ///
    /// # Errors
    /// Everything that is wrong with the file and with the files that it names.
    pub(crate) fn open(path: &Path, waiting: usize) -> Result<Self, Error> {
        let refused = |problem: String| error(path, problem);
        let (file, content) = Watched::read(path);
        let bytes = content.map_err(|error| refused(error.to_string()))?;
        let mut reading = read(&bytes, directory_of(path));
        let loaded = open(&mut reading);
        for warning in &reading.warnings {
            log::warn!("{}: {warning}", path.display());
        }
        if !reading.faults.is_empty() {
            return Err(refused(joined(&reading.faults)));
        }
        let verifier =
            Verifier::new(waiting).map_err(|_| refused("the system has no random numbers".into()))?;
        let rate = RateLimit::new(reading.config.rate_limit);
        let clients = reading.config.tls.as_ref().map(|settings| settings.clients.clone());
        let encrypts = reading.config.tls.is_some();
        let tls = match (loaded, &reading.config.tls) {
            (Some(loaded), Some(settings)) => {
                loaded.now_used(false);
                Tls::Loaded(settings.clone(), loaded)
            }
            _ => Tls::Unknown,
        };
        let followed = follow(reading, &rate).map_err(refused)?;
        LAST_READ_SUCCESSFUL.set(1.0);
        let Rate { interval_ns, burst } = followed.config.rate_limit;
        if let Ok(interval @ 1..) = u64::try_from(interval_ns) {
            let interval = Duration::from_nanos(interval);
            log::info!("requests are limited to one in {interval:?}, {burst} at once");
        }
        let state = State {
            file,
            users: followed.users.clone(),
            current: Ok(followed),
            clients,
            opens: Doubt::default(),
            lowers: Doubt::default(),
            tls,
            said: [const { String::new() }; 3],
        };
        Ok(Self {
            path: path.into(),
            encrypts,
            began: Instant::now(),
            verifier,
            rate,
            state: Mutex::new(state),
        })
    }

    pub(crate) const fn encrypts(&self) -> bool {
        self.encrypts
    }

    /// The state, up to date with the file.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let over = state.opens.is_over(now) || state.lowers.is_over(now);
        if over || !state.file.is_current() {
            self.read_again(&mut state, now);
        }
        state.opens.look(now);
        state.lowers.look(now);
        state
    }

    fn read_again(&self, state: &mut State, now: Instant) {
        let (file, content) = Watched::read(&self.path);
        let changed = !file.has_content_of(&state.file);
        state.file = file;
        let empty = matches!(&content, Ok(bytes) if bytes.is_empty());
        let reading = content.map(|bytes| read(&bytes, directory_of(&self.path)));
        let opens = state.users.is_some() && reading.as_ref().is_ok_and(opens);
        let opening = state.opens.judge(opens, changed, now);
        let clients = reading.as_ref().ok().filter(|_| self.encrypts).and_then(clients).cloned();
        let lower = match (&clients, &state.clients) {
            (Some(clients), Some(before)) => clients.asks_less_than(before),
            _ => None,
        };
        let lowering = state.lowers.judge(lower.is_some(), changed, now);
        state.current = match reading {
            Err(error) => Err(error.to_string()),
            Ok(_) if empty && opening => Err("it has become empty".into()),
            Ok(reading) => follow(reading, &self.rate),
        };
        if let Ok(followed) = &mut state.current {
            if opening {
                followed.users.clone_from(&state.users);
            } else {
                if opens {
                    log::warn!("{}: nobody has to log in any more", self.path.display());
                }
                state.users.clone_from(&followed.users);
            }
            match lower {
                Some(field) if lowering => followed.doubt(field),
                Some(field) => {
                    log::warn!("{}: {field} asks for less of clients than before", self.path.display());
                }
                None => {}
            }
            if !lowering && clients.is_some() {
                state.clients = clients;
            }
        }
        match &state.current {
            Ok(followed) => {
                if followed.barred != state.said[USERS] {
                    if !followed.barred.is_empty() {
                        let path = self.path.display();
                        log::error!("{path}: {}; nobody can log in with such a hash", followed.barred);
                    }
                    state.said[USERS].clone_from(&followed.barred);
                }
                LAST_READ_SUCCESSFUL.set(1.0);
                if !state.said[FILE].is_empty() {
                    log::info!("{} can be used again", self.path.display());
                    state.said[FILE].clear();
                }
            }
            Err(problem) if *problem != state.said[FILE] => {
                READ_FAILURES.inc();
                LAST_READ_SUCCESSFUL.set(0.0);
                log::error!("{}: {problem}; nobody is let in until it is mended", self.path.display());
                state.said[FILE].clone_from(problem);
            }
            Err(_) => {}
        }
    }

    /// Reads everything again if it has changed, and says whether it can be used.
    fn verdict(&self) -> Result<(), String> {
        let mut state = self.state();
        match &state.current {
            Err(problem) => Err(problem.clone()),
            Ok(_) if self.encrypts => state.context(&self.path).map(drop),
            Ok(_) => Ok(()),
        }
    }
}

/// Places in [`State::said`].
const FILE: usize = 0;
const TLS: usize = 1;
const USERS: usize = 2;

impl Followed {
    /// This field asks for less of clients than before, and the file may be only half written.
    fn doubt(&mut self, field: &str) {
        self.handshakes = Err(format!(
            "{field} asks for less of clients than before, which is believed {SETTLES_AFTER:?} after the last change"
        ));
        self.until = "then";
    }
}

impl State {
    /// The context for handshakes by the current version.
    fn context(&mut self, path: &Path) -> Result<Context, String> {
        let (config, until) = match &self.current {
            Err(problem) => return Err(problem.clone()),
            Ok(Followed { config, until, .. }) => (config, *until),
        };
        let result = match (&self.current, &config.tls) {
            (Ok(Followed { handshakes: Err(problem), .. }), _) => Err(problem.clone()),
            (_, Some(settings)) => self.tls.follow(settings, config),
            (_, None) => {
                Err("tls_server_config is gone, but a server with TLS stays one until a restart".into())
            }
        };
        match &result {
            Ok(_) => self.said[TLS].clear(),
            Err(problem) if *problem != self.said[TLS] => {
                reload_failed();
                log::error!("{}: {problem}; handshakes fail until {until}", path.display());
                self.said[TLS].clone_from(problem);
            }
            Err(_) => {}
        }
        result
    }
}

impl Tls {
    /// The context that these settings lead to with the files as they are.
    fn follow(&mut self, settings: &Settings, config: &WebConfig) -> Result<Context, String> {
        let unchanged = match self {
            Self::Unknown => false,
            Self::Loaded(before, loaded) => before == settings && loaded.is_current(),
            Self::Failed(before, failed) => before == settings && failed.is_current(),
        };
        if !unchanged {
            *self = match Loaded::new(settings) {
                Ok(loaded) => {
                    loaded.now_used(true);
                    Self::Loaded(settings.clone(), loaded)
                }
                Err(failed) => Self::Failed(settings.clone(), failed),
            };
        }
        match self {
            Self::Loaded(_, loaded) => Ok(loaded.context.clone()),
            Self::Failed(_, failed) => {
                Err(joined(failed.problems.iter().map(|problem| placed(config, problem))))
            }
            Self::Unknown => Err(String::new()),
        }
    }
}

/// What a file means for requests and handshakes.
///
/// # Errors
/// What makes the file as a whole unusable. A user whose hash is none cannot log in, and a TLS section that makes no
/// sense fails handshakes; neither concerns anybody else.
fn follow(reading: Reading, rate: &RateLimit) -> Result<Followed, String> {
    let Reading { mut config, faults, .. } = reading;
    let of = |scope: Scope| faults.iter().filter(move |fault| fault.scope == scope);
    if of(Scope::File).next().is_some() {
        return Err(joined(of(Scope::File)));
    }
    let barred = joined(of(Scope::User));
    rate.follow(config.rate_limit);
    let users = core::mem::take(&mut config.users);
    let headers = core::mem::take(&mut config.headers);
    let handshakes = match of(Scope::Handshake).next() {
        None => Ok(()),
        Some(_) => Err(joined(of(Scope::Handshake))),
    };
    Ok(Followed {
        users: (!users.is_empty())
            .then(|| Arc::new(Users::new(users.into_iter().map(|user| (user.name, user.hash))))),
        headers: (!headers.is_empty()).then(|| headers.into()),
        config,
        handshakes,
        until: "it is mended",
        barred,
    })
}

/// Whether a file makes sense and names no users.
fn opens(reading: &Reading) -> bool {
    reading.config.users.is_empty() && reading.faults.iter().all(|fault| fault.scope != Scope::File)
}

/// What a file asks of clients, if that makes sense.
fn clients(reading: &Reading) -> Option<&Clients> {
    let makes_sense = reading.faults.iter().all(|fault| fault.scope == Scope::User);
    reading.config.tls.as_ref().filter(|_| makes_sense).map(|settings| &settings.clients)
}

/// All of them in one line.
fn joined(faults: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let texts: Vec<String> = faults.into_iter().map(|fault| fault.to_string()).collect();
    texts.join("; ")
}

fn error(path: &Path, problem: String) -> Error {
    Error::WebConfig { path: path.display().to_string().into_boxed_str(), problem: problem.into_boxed_str() }
}

impl Gate for Live {
    fn admit(&self, authorization: Option<&[u8]>) -> Admission {
        let (users, fields) = match &self.state().current {
            Err(_) => return Admission { verdict: Verdict::Broken, fields: None, known: false },
            Ok(Followed { users, headers, .. }) => (users.clone(), headers.clone()),
        };
        let logins = users.is_some();
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let verdict = if !self.rate.take(now) {
            Verdict::TooMany
        } else if let Some(users) = users {
            match self.verifier.verify(&users, authorization) {
                Outcome::Allowed => Verdict::Served,
                Outcome::Denied => Verdict::Unauthorized,
                Outcome::Busy => Verdict::Busy,
            }
        } else {
            Verdict::Served
        };
        Admission { verdict, fields, known: logins && verdict == Verdict::Served }
    }

    fn close(&self) {
        self.verifier.close();
    }
}

impl Keeper for Live {
    fn context(&self) -> Option<Context> {
        self.state().context(&self.path).ok()
    }
}

impl Reread for Live {
    fn reread(&self) -> Result<(), Error> {
        self.verdict().map_err(|problem| error(&self.path, problem))
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Live").field("path", &self.path).finish_non_exhaustive()
    }
}
