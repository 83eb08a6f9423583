// SPDX-License-Identifier: MIT

// tokio with its scheduler for one thread (current_thread), except for "channel" and
// "wakeup", which are between two threads.  bench/run compiles it offline with
// Debian's crates: opt-level 3, one codegen unit, LTO.
// ARGUMENTS: switch N | spawn N | queue N | timer N | steady TASKS TIMES | memory N |
// channel N | wakeup N | echo PORT

use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::{yield_now, JoinHandle};

fn line(work: &str, metric: &str, value: f64, unit: &str) {
    println!("{} {} {:.3} {}", work, metric, value, unit);
}

fn cpu() -> f64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };

    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut ts) };
    ts.tv_sec as f64 * 1e9 + ts.tv_nsec as f64
}

// Pins this thread to an allowed core, counted from the last.  Does not pin if there are
// fewer cores.
fn pin(nth: usize) {
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of::<libc::cpu_set_t>();

        libc::sched_getaffinity(0, size, &mut allowed);
        let cores = (0..1024usize).rev().filter(|&core| libc::CPU_ISSET(core, &allowed));
        if let Some(core) = cores.skip(nth).next() {
            libc::CPU_SET(core, &mut one);
            libc::sched_setaffinity(0, size, &one);
        }
    }
}

fn since(begun: Instant, n: usize) -> f64 {
    begun.elapsed().as_nanos() as f64 / n as f64
}

// CPU time, which does not depend on other load of the machine.
fn used(begun: f64, n: usize) -> f64 {
    (cpu() - begun) / n as f64
}

async fn all(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

async fn yields(tasks: usize, each: usize) -> f64 {
    let begun = cpu();

    all((0..tasks)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..each {
                    yield_now().await;
                }
            })
        })
        .collect())
    .await;
    used(begun, tasks * each)
}

async fn one_at_a_time(n: usize) -> f64 {
    let begun = cpu();

    for _ in 0..n {
        tokio::spawn(async {}).await.unwrap();
    }
    used(begun, n)
}

async fn many_at_once(turns: usize) -> f64 {
    const MANY: usize = 10000;
    let begun = cpu();

    for _ in 0..turns {
        all((0..MANY).map(|_| tokio::spawn(async {})).collect()).await;
    }
    used(begun, MANY * turns)
}

async fn items(slots: usize, n: usize) -> f64 {
    let (tx, mut rx) = mpsc::channel::<i32>(slots);
    let begun = cpu();
    let producer = tokio::spawn(async move {
        for i in 0..n {
            tx.send(i as i32).await.unwrap();
        }
    });
    let consumer = tokio::spawn(async move {
        for i in 0..n {
            assert_eq!(rx.recv().await, Some(i as i32));
        }
    });

    producer.await.unwrap();
    consumer.await.unwrap();
    used(begun, n)
}

// The tasks of one thread share this.
static mut LATE: Vec<i64> = Vec::new();
static mut SEED: u32 = 1;

async fn sleeper(times: usize, longest_us: u64) {
    for _ in 0..times {
        let us = unsafe {
            SEED = SEED.wrapping_mul(1664525).wrapping_add(1013904223);
            (SEED as u64 * longest_us) >> 32
        };
        let span = Duration::from_micros(us);
        let asked = Instant::now();

        tokio::time::sleep(span).await;
        let late = asked.elapsed().as_nanos() as i64 - span.as_nanos() as i64;
        unsafe { LATE.push(late) };
    }
}

async fn sleeps(work: &str, sleepers: usize, times: usize, longest_us: u64) {
    let n = sleepers * times;

    unsafe {
        LATE = vec![1; n];
        LATE.clear();
    }
    let begun = cpu();
    all((0..sleepers).map(|_| tokio::spawn(sleeper(times, longest_us))).collect()).await;
    let used = (cpu() - begun) / n as f64;
    let late = unsafe { &mut *std::ptr::addr_of_mut!(LATE) };
    let early = late.iter().filter(|&&l| l < 0).count();

    late.sort_unstable();
    line(work, "cpu", used, "ns");
    line(work, "p50", late[n / 2] as f64 / 1e3, "us");
    line(work, "p99", late[n * 99 / 100] as f64 / 1e3, "us");
    line(work, "max", late[n - 1] as f64 / 1e3, "us");
    line(work, "early", early as f64, "sleeps");
}

fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let mut sum = 0.0;

    for field in text.lines() {
        if field.starts_with("VmRSS:") || field.starts_with("VmPTE:") {
            let kib = field.split_whitespace().nth(1).unwrap();
            sum += kib.parse::<f64>().unwrap() * 1024.0;
        }
    }
    sum
}

async fn memory(n: usize) {
    use std::cell::Cell;
    thread_local!(static ENTERED: Cell<usize> = Cell::new(0));
    let (before, begun) = (resident(), cpu());

    for _ in 0..n {
        tokio::spawn(async {
            ENTERED.with(|e| e.set(e.get() + 1));
            tokio::time::sleep(Duration::from_secs(3600)).await;
        });
    }
    while ENTERED.with(|e| e.get()) < n {
        yield_now().await;
    }
    let used = cpu() - begun;
    line("memory", "task", (resident() - before) / n as f64, "bytes");
    line("memory", "cpu", used / n as f64, "ns");
}

// Each side is a runtime of one thread.
fn channel(n: usize) {
    let (tx, mut rx) = mpsc::channel::<i32>(1024);
    let (begun, used) = (Instant::now(), cpu());
    let other = std::thread::spawn(move || {
        pin(1);
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            for i in 0..n {
                tx.send(i as i32).await.unwrap();
            }
        })
    });

    pin(0);
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
        for i in 0..n {
            assert_eq!(rx.recv().await, Some(i as i32));
        }
    });
    other.join().unwrap();
    line("channel", "item", since(begun, n), "ns");
    line("channel", "cpu", (cpu() - used) / n as f64, "ns");
}

// A thread wakes the runtime by a tokio channel and gets the answer by a std channel.
fn wakeup(n: usize) {
    let (there, mut asked) = mpsc::unbounded_channel::<usize>();
    let (answer, back) = std::sync::mpsc::channel::<usize>();
    let other = std::thread::spawn(move || {
        pin(1);
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async move {
            while let Some(i) = asked.recv().await {
                answer.send(i).unwrap();
            }
        })
    });

    pin(0);
    let (begun, used) = (Instant::now(), cpu());

    for i in 0..n {
        there.send(i).unwrap();
        assert_eq!(back.recv().unwrap(), i);
    }
    line("wakeup", "trip", since(begun, n), "ns");
    line("wakeup", "cpu", (cpu() - used) / n as f64, "ns");
    drop(there);
    other.join().unwrap();
}

async fn echo(port: u16) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();

    loop {
        let (mut socket, _) = listener.accept().await.unwrap();

        socket.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut buffer = [0u8; 4096];

            while let Ok(n) = socket.read(&mut buffer).await {
                if n == 0 || socket.write_all(&buffer[..n]).await.is_err() {
                    break;
                }
            }
        });
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, usual: usize| {
        arguments.get(i).map_or(usual, |a| a.parse().unwrap())
    };
    let work = arguments[1].as_str();
    let n = number(2, 100000);
    let one_thread = || Builder::new_current_thread().enable_all().build().unwrap();

    match work {
        "channel" => return channel(n),
        "wakeup" => return wakeup(n),
        _ => {}
    }
    // The future of block_on is not a task, so the measured code runs in a spawned one.
    let measured = work.to_string();
    let times = number(3, 20);
    one_thread().block_on(async move {
        tokio::spawn(async move {
            let work = measured.as_str();

            match work {
                "switch" => {
                    line(work, "two", yields(2, n / 2).await, "ns");
                    line(work, "thousand", yields(1000, n / 1000).await, "ns");
                }
                "spawn" => {
                    many_at_once(1).await;
                    line(work, "one", one_at_a_time(n).await, "ns");
                    line(work, "many", many_at_once(1 + n / 25000).await, "ns");
                }
                "queue" => {
                    line(work, "wide", items(1024, n).await, "ns");
                    line(work, "one", items(1, n).await, "ns");
                }
                "timer" => sleeps(work, n, 1, 1000000).await,
                "steady" => sleeps(work, n, times, 100000).await,
                "memory" => {
                    memory(n).await;
                    std::process::exit(0);
                }
                "echo" => echo(n as u16).await,
                _ => panic!("no such work"),
            }
        })
        .await
        .unwrap()
    });
}
