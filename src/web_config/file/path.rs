//! Paths inside of the file.

use std::path::{Component, Path, PathBuf};

/// An absolute path as it is; another beside the file, cleaned without looking at the disk.
pub(super) fn beside(directory: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_path_buf();
    }
    let mut clean = PathBuf::new();
    for component in directory.components().chain(path.components()) {
        match component {
            Component::ParentDir if clean.file_name().is_some() => {
                clean.pop();
            }
            // Above the root there is nothing.
            Component::ParentDir if clean.has_root() => {}
            Component::CurDir => {}
            component => clean.push(component),
        }
    }
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_their_words() {
        for (directory, path, clean) in [
            ("/etc/x", "a.pem", "/etc/x/a.pem"),
            ("/etc/x", "/b/../a.pem", "/b/../a.pem"),
            ("/etc/x", "../a.pem", "/etc/a.pem"),
            ("/etc/x", "./b//c/../a.pem", "/etc/x/b/a.pem"),
            ("/", "../../a.pem", "/a.pem"),
            (".", "a.pem", "a.pem"),
            ("", "../a.pem", "../a.pem"),
            ("..", "../a.pem", "../../a.pem"),
            ("x", "..", "."),
            ("x/../..", "a", "../a"),
        ] {
            assert_eq!(beside(Path::new(directory), Path::new(path)), Path::new(clean), "{directory} {path}");
        }
    }
}
