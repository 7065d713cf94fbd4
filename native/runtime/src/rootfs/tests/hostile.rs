//! Roots and volumes that were made to lead out of the container.

use super::*;

#[test]
fn what_is_mounted_and_made_stays_in_the_root_whatever_an_image_has_there() {
    in_namespace(|folders| {
        let (root, outside) = (&folders.root, folders.outside.to_str().expect("text").to_owned());
        let deep = "../".repeat(20);
        symlink(&outside, root.join("absolute")).expect("link");
        symlink(format!("{deep}{}", &outside[1..]), root.join("relative")).expect("link");
        symlink(&outside, root.join("file")).expect("link");
        symlink("/run/made/../resolv.conf", root.join("dangling")).expect("link");
        symlink("loop", root.join("loop")).expect("link");
        let file = folders.outside.join("file");
        fs::write(&file, "text").expect("write");
        let mounts = json!([
            proc(),
            dev(),
            bind(&folders.outside, "/absolute/one", &["bind"]),
            bind(&folders.outside, "/relative/two", &["bind"]),
            bind(&folders.outside, "/../../three/./four/../five", &["bind"]),
            bind(&file, "/dangling", &["bind"]),
            { "destination": "/absolute/new", "type": "tmpfs", "source": "tmpfs", "options": [] },
        ]);
        let device = json!({ "path": "/absolute/device", "type": "c", "major": 1, "minor": 3 });
        prepare_in(root, &spec(mounts, json!({ "/linux/devices": [device] }))).expect("prepare");

        let inner = root.join(&outside[1..]);
        assert_eq!(names(&inner), ["device", "new", "one", "two"], "made where the links lead to in the root");
        assert_eq!(names(inner.join("one")), ["file"]);
        assert_eq!(names(root.join("three")), ["five"]);
        assert_eq!(fs::read_to_string(root.join("run/resolv.conf")).expect("a file"), "text");
        assert_eq!(names(&folders.outside), ["file"]);
        let looped = spec(json!([bind(&folders.outside, "/loop/x", &["bind"])]), json!({}));
        assert!(prepare_in(root, &looped).expect_err("a loop").contains("Too many levels of symbolic links"));
    });
}

#[test]
fn a_place_that_is_not_as_it_has_to_be_is_refused() {
    in_namespace(|folders| {
        let (root, outside) = (&folders.root, &folders.outside);
        let refused = |mounts: Value, why: &str| {
            let message = prepare_in(root, &spec(mounts, json!({}))).expect_err(why);
            assert!(message.contains(why), "{message:?} and not {why:?}");
        };
        fs::write(root.join("text"), "").expect("write");
        refused(json!([bind(outside, "/text", &["bind"])]), "Not a directory");
        refused(json!([bind(outside, "/text/below", &["bind"])]), "Not a directory");
        refused(json!([bind(outside, "/a/..", &["bind"])]), "no path below the root");
        refused(json!([bind(Path::new("relative"), "/a", &["bind"])]), "no absolute path");
        refused(json!([bind(outside, "/a", &["bind", "idmap"])]), "option \"idmap\" is not supported");
        refused(json!([proc(), bind(outside, "/proc/self/root/x", &["bind"])]), "Too many levels of symbolic links");
        refused(json!([proc(), bind(outside, "/proc/tty", &["bind"])]), "in a procfs");
        refused(json!([bind(outside, "/proc", &["bind"])]), "only a procfs can be there");
        let cgroup = json!({ "destination": "/proc/tty", "type": "cgroup", "source": "cgroup" });
        refused(json!([proc(), cgroup]), "in a procfs");
        symlink("/proc/tty", root.join("link")).expect("link");
        refused(json!([proc(), bind(outside, "/link", &["bind"])]), "in a procfs");
        refused(json!([dev(), { "destination": "/x", "type": "nonsense", "source": "x" }]), "No such device");
        assert_eq!(names(outside), [""; 0]);
    });
}

#[test]
fn a_link_in_place_of_a_folder_of_the_kernels_is_refused() {
    in_namespace(|folders| {
        for name in ["proc", "dev", "sys"] {
            symlink(&folders.outside, folders.root.join(name)).expect("link");
            let mount = json!({ "destination": format!("/{name}"), "type": "tmpfs", "source": "x" });
            let refused = prepare_in(&folders.root, &spec(json!([mount]), json!({}))).expect_err(name);
            assert!(refused.contains("Too many levels of symbolic links"), "{refused}");
        }
        assert_eq!(names(&folders.outside), [""; 0]);
    });
}

#[test]
fn a_file_of_the_image_is_no_null_device_to_mask_with() {
    in_namespace(|folders| {
        let mounts = json!([proc(), bind(&folders.outside, "/dev", &["bind"])]);
        fs::write(folders.outside.join("null"), "text").expect("write");
        let spec = spec(mounts, json!({ "/linux/maskedPaths": ["/proc/uptime"] }));
        let place = place(&folders.root, &spec);
        prepare(&place).expect("prepare");
        assert_eq!(names(&folders.outside), ["null"], "a folder of the caller's is left as it is");
        assert!(enter(&place).expect_err("a file").to_string().contains("no null device"));
    });
}

#[test]
fn mounts_below_a_folder_that_is_swapped_for_a_link_stay_in_the_root() {
    in_namespace(|folders| {
        let (root, outside) = (folders.root.clone(), folders.outside.to_str().expect("text").to_owned());
        let volume = folders.root.with_file_name("volume");
        fs::create_dir_all(volume.join("place/sub")).expect("make");
        symlink(&outside, volume.join("link")).expect("link");
        let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let (one, other) = (volume.join("place"), volume.join("link"));
                while !stop.load(Ordering::Relaxed) {
                    let _ = rustix::fs::renameat_with(rustix::fs::CWD, &one, rustix::fs::CWD, &other, flags);
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            });
            let gone_astray = (0..100).find_map(|round| {
                while swaps.load(Ordering::Relaxed) <= round {
                    thread::yield_now();
                }
                let mounts = json!([
                    bind(&volume, "/volume", &["rbind"]),
                    bind(&root, "/volume/place/sub", &["bind"]),
                    bind(&root, &format!("/volume/place/made-{round}"), &["bind"]),
                ]);
                // Some rounds fail as the folder is not there at the wrong moment.
                let _ = prepare_in(&root, &spec(mounts, json!({})));
                let found = names(&outside);
                (!found.is_empty()).then_some((round, found))
            });
            // Before anything can fail: it is waited for.
            stop.store(true, Ordering::Relaxed);
            assert_eq!(gone_astray, None, "in this round something was made outside");
        });
        let table = fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo");
        let astray: Vec<_> =
            table.lines().filter(|line| line.split(' ').nth(4).is_some_and(|at| at.starts_with(&outside))).collect();
        assert_eq!(astray, [""; 0]);
    });
}
