//! What is known of the machine, for the head of a report.

use std::thread::available_parallelism;

use rustix::system::uname;

use crate::{cores, cores::Cores, document::Environment};

/// Reads the environment. `tracelab` is the program with its version, `cores` are those to which SUT and benchmark are
/// pinned. What the system does not tell is empty or 0; `calibrated_spans_per_second` is left to the caller.
///
/// Call it before this process is pinned: then it counts all the cores that it may use.
pub fn read(tracelab: String, cores: Option<Cores>) -> Environment {
    let system = uname();
    let part = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let machine = machine();
    Environment {
        tracelab,
        // With assertions it is not what users run, however well it is optimized.
        optimized: !cfg!(debug_assertions),
        system: [system.sysname(), system.release(), system.machine()]
            .map(part)
            .join(" "),
        processor: machine.processor,
        cores: match cores::allowed() {
            Some(allowed) => allowed.len(),
            None => available_parallelism().map_or(1, usize::from),
        },
        memory_bytes: machine.memory_bytes,
        load_average: machine.load_average,
        sut_core: cores.map(|cores| cores.sut),
        own_core: cores.map(|cores| cores.own),
        calibrated_spans_per_second: None,
    }
}

#[derive(Default)]
struct Machine {
    processor: String,
    memory_bytes: u64,
    load_average: f64,
}

#[cfg(target_os = "linux")]
fn machine() -> Machine {
    use procfs::{CpuInfo, Current, LoadAverage, Meminfo};

    // The name of the model has other names where the processor is no x86.
    let model = |info: CpuInfo| {
        let field = |name: &str| {
            let of_first = info.cpus.first().and_then(|cpu| cpu.get(name));
            of_first.or_else(|| info.fields.get(name)).cloned()
        };
        ["model name", "Model", "Hardware", "cpu", "CPU part"]
            .into_iter()
            .find_map(field)
    };
    let load = LoadAverage::current().map_or(0.0, |load| f64::from(load.one));
    Machine {
        processor: CpuInfo::current().ok().and_then(model).unwrap_or_default(),
        memory_bytes: Meminfo::current().map_or(0, |memory| memory.mem_total),
        // It has two digits; a float of 32 bits has more, none of which is true.
        load_average: (load * 100.0).round() / 100.0,
    }
}

#[cfg(not(target_os = "linux"))]
fn machine() -> Machine {
    Machine::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described() {
        let cores = Some(Cores { sut: 0, own: 1 });
        let environment = read("tracelab 0.1.0".to_owned(), cores);
        assert_eq!(environment.tracelab, "tracelab 0.1.0");
        assert_eq!(environment.optimized, !cfg!(debug_assertions));
        assert_eq!(
            (environment.sut_core, environment.own_core),
            (Some(0), Some(1))
        );
        assert!(environment.cores >= 1);
        let words = environment.system.split(' ').count();
        assert_eq!(words, 3, "{:?}", environment.system);
        if cfg!(target_os = "linux") {
            assert!(environment.system.starts_with("Linux "), "{environment:?}");
            assert!(environment.memory_bytes > 16 << 20, "{environment:?}");
            assert!(!environment.processor.is_empty(), "{environment:?}");
        }
    }
}
