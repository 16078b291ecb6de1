//! The cores of the processor: which ones this process may use, and keeping the SUT on one and the benchmark on another.
//!
//! Linux alone keeps a process on a core. Elsewhere nothing is known, and each call that pins fails.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// A core for the SUT, and another one for the generator and the receiving end. Cores are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The core of the SUT.
    pub sut: usize,
    /// The core of the generator and the receiving end.
    pub own: usize,
}

/// Why cores cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoCores {
    /// It is not two numbers.
    #[error("{0:?} is not two cores: it must be SUT,OWN, such as 0,1")]
    Text(String),
    /// It is the same core twice.
    #[error(
        "the SUT and the benchmark cannot share core {0}: each would be measured by what the other leaves of it"
    )]
    Same(usize),
    /// This process may not use a core.
    #[error("this process may not use core {core}; it may use {}", List(.allowed))]
    NotAllowed {
        /// The core.
        core: usize,
        /// Those that it may use.
        allowed: Vec<usize>,
    },
}

struct List<'a>(&'a [usize]);

pub use self::system::{allowed, of_process, on_core, pin_this_process, siblings};

// === impl Cores ===

impl Cores {
    /// The last two of those that this process may use, so that core 0, which has the most to do for the system, stays
    /// free where there are more. The two are not halves of one core, if there is another; `None` if there is only one.
    pub fn choose() -> Option<Cores> {
        choose(&allowed()?, &siblings)
    }

    /// Checks that this process may use both.
    ///
    /// # Errors
    ///
    /// [`NoCores::NotAllowed`]. Where it is not known what is allowed, nothing is checked.
    pub fn check(self) -> Result<(), NoCores> {
        let Some(allowed) = allowed() else {
            return Ok(());
        };
        match [self.sut, self.own]
            .into_iter()
            .find(|core| !allowed.contains(core))
        {
            Some(core) => Err(NoCores::NotAllowed { core, allowed }),
            None => Ok(()),
        }
    }
}

impl FromStr for Cores {
    type Err = NoCores;

    fn from_str(text: &str) -> Result<Cores, NoCores> {
        let wrong = || NoCores::Text(text.to_owned());
        let (sut, own) = text.split_once(',').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse().map_err(|_| wrong());
        let cores = Cores {
            sut: number(sut)?,
            own: number(own)?,
        };
        match cores.sut == cores.own {
            true => Err(NoCores::Same(cores.sut)),
            false => Ok(cores),
        }
    }
}

/// As it is read: `0,1`.
impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.sut, self.own)
    }
}

fn choose(allowed: &[usize], siblings: &dyn Fn(usize) -> Vec<usize>) -> Option<Cores> {
    let (own, others) = allowed.split_last()?;
    let siblings = siblings(*own);
    let apart = others.iter().rfind(|core| !siblings.contains(core));
    let sut = apart.or(others.last())?;
    Some(Cores {
        sut: *sut,
        own: *own,
    })
}

// === impl List ===

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&text.join(", "))
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{fs, io};

    use rustix::{
        io::Errno,
        process::Pid,
        thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    };

    /// The cores that this thread, and so this process, may use, in their order; `None` where that is not known.
    pub fn allowed() -> Option<Vec<usize>> {
        Some(list(&sched_getaffinity(None).ok()?))
    }

    /// The cores that the main thread of a process may use; `None` if there is no such process, or that is not known.
    pub fn of_process(pid: u32) -> Option<Vec<usize>> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
        Some(list(&sched_getaffinity(Some(pid)).ok()?))
    }

    /// Runs a function while this thread stays on a core. The processes and threads that it starts begin there, and
    /// stay.
    ///
    /// # Errors
    ///
    /// When this process may not use the core.
    pub fn on_core<T>(core: usize, run: impl FnOnce() -> T) -> io::Result<T> {
        let before = Before(sched_getaffinity(None)?);
        sched_setaffinity(None, &only(core)?)?;
        let result = run();
        drop(before);
        Ok(result)
    }

    /// Keeps all threads of this process on a core, and those that they start.
    ///
    /// # Errors
    ///
    /// When this process may not use the core.
    pub fn pin_this_process(core: usize) -> io::Result<()> {
        let cores = only(core)?;
        // A thread that was started while the others were pinned may have been started by one that was not.
        let mut pinned = Vec::new();
        loop {
            let mut new = Vec::new();
            for task in fs::read_dir("/proc/self/task")? {
                let id: Option<i32> = task?.file_name().to_str().and_then(|id| id.parse().ok());
                new.extend(id.filter(|id| !pinned.contains(id)));
            }
            if new.is_empty() {
                return Ok(());
            }
            for id in new {
                match sched_setaffinity(Pid::from_raw(id), &cores) {
                    // It has ended.
                    Ok(()) | Err(Errno::SRCH) => pinned.push(id),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// The cores that are halves of the same physical core as this one, with itself; it alone where that is not known.
    pub fn siblings(core: usize) -> Vec<usize> {
        let file = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        let text = fs::read_to_string(file).unwrap_or_default();
        super::parse_list(text.trim()).unwrap_or_else(|| vec![core])
    }

    /// Gives a thread its cores back.
    struct Before(CpuSet);

    impl Drop for Before {
        fn drop(&mut self) {
            let _ = sched_setaffinity(None, &self.0);
        }
    }

    fn only(core: usize) -> io::Result<CpuSet> {
        if core >= CpuSet::MAX_CPU {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut cores = CpuSet::new();
        cores.set(core);
        Ok(cores)
    }

    fn list(cores: &CpuSet) -> Vec<usize> {
        (0..CpuSet::MAX_CPU)
            .filter(|core| cores.is_set(*core))
            .collect()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    /// Not known on this system.
    pub fn allowed() -> Option<Vec<usize>> {
        None
    }

    /// Not known on this system.
    pub fn of_process(_pid: u32) -> Option<Vec<usize>> {
        None
    }

    /// Not available on this system.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn on_core<T>(_core: usize, _run: impl FnOnce() -> T) -> io::Result<T> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Not available on this system.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn pin_this_process(_core: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The core alone: not known on this system.
    pub fn siblings(core: usize) -> Vec<usize> {
        vec![core]
    }
}

/// Parses `0-3,8`, as the system lists cores.
fn parse_list(text: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        cores.extend(first..=last);
    }
    Some(cores)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn two_cores_are_read() {
        let cores: Cores = "0, 3".parse().unwrap();
        assert_eq!(cores, Cores { sut: 0, own: 3 });
        assert_eq!(cores.to_string(), "0,3");
        for wrong in ["", "0", "0,", "0,1,2", "a,b", "-1,0"] {
            let error = wrong.parse::<Cores>().unwrap_err();
            assert_eq!(error, NoCores::Text(wrong.to_owned()));
        }
        assert_eq!("1,1".parse::<Cores>(), Err(NoCores::Same(1)));
    }

    #[test]
    fn the_last_two_cores_are_chosen_and_not_two_halves_of_one() {
        let apart = |core| vec![core];
        let cores = |sut, own| Some(Cores { sut, own });
        assert_eq!(choose(&[], &apart), None);
        assert_eq!(choose(&[4], &apart), None);
        assert_eq!(choose(&[0, 1], &apart), cores(0, 1));
        assert_eq!(choose(&[0, 1, 2], &apart), cores(1, 2));
        let halves = |core: usize| vec![core & !1, core | 1];
        assert_eq!(choose(&[0, 1, 2, 3], &halves), cores(1, 3));
        assert_eq!(choose(&[0, 1], &halves), cores(0, 1));
    }

    #[test]
    fn a_list_of_cores_is_read() {
        assert_eq!(parse_list("0-2,7"), Some(vec![0, 1, 2, 7]));
        assert_eq!(parse_list("5"), Some(vec![5]));
        assert_eq!(parse_list(""), None);
    }

    #[test]
    fn a_core_that_this_process_may_not_use_is_told() {
        let Some(allowed) = allowed() else { return };
        let free = (0..).find(|core| !allowed.contains(core)).unwrap();
        let cores = Cores {
            sut: allowed[0],
            own: free,
        };
        let error = cores.check().unwrap_err().to_string();
        assert!(
            error.starts_with(&format!(
                "this process may not use core {free}; it may use "
            )),
            "{error}"
        );
        if let Some(cores) = Cores::choose() {
            cores.check().unwrap();
        }
    }

    #[test]
    fn a_thread_has_its_cores_back_after_it_was_on_one() {
        let Some(before) = allowed() else { return };
        let core = *before.last().unwrap();
        assert_eq!(on_core(core, allowed).unwrap(), Some(vec![core]));
        assert_eq!(allowed(), Some(before));
        assert!(on_core(1 << 20, || ()).is_err());
    }
}
