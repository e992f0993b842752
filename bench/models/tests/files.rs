//! Every way to read files reads the right blocks, tells of errors, and epoll takes no file.
use std::fs::File;
use uvring_models::files::{ALL, BLOCK, FileModel, epoll_refuses, is_right, no_ring, sample};

fn possible() -> impl Iterator<Item = &'static FileModel> {
    let no_ring = no_ring();
    ALL.iter().filter(move |model| match &no_ring {
        Some(error) if model.name == "file-ring" => {
            println!("skipped: {}: {error}", model.name);
            false
        }
        _ => true,
    })
}

#[test]
fn all_blocks_are_read_and_an_end_is_an_error() {
    let file = tempfile::tempfile().unwrap();
    let offsets = sample(&file).unwrap();
    for model in possible() {
        let mut out = vec![0; offsets.len() * BLOCK];
        (model.read)(&file, &offsets, &mut out).unwrap();
        assert!(is_right(&offsets, &out), "{}", model.name);
        assert!(!is_right(&offsets[1..], &out[..out.len() - BLOCK]), "the check sees nothing");
        let behind = [offsets[0], 1 << 40, offsets[1]];
        let mut out = vec![0; behind.len() * BLOCK];
        (model.read)(&file, &behind, &mut out).unwrap_err();
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let folder = File::open(".").unwrap();
    for model in possible() {
        (model.read)(&folder, &[0; 3], &mut [0; 3 * BLOCK]).unwrap_err();
    }
}

#[test]
fn epoll_refuses_a_regular_file() {
    let error = epoll_refuses::add(&tempfile::tempfile().unwrap()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
}
