// error: an info's name must end in _info: "app_build"
use scrapeport::{Info, Registry};
static BUILD: Info<1> = Info::new("app_build", "Build.", [("version", "1")]);
static REGISTRY: Registry = Registry::new(&[&BUILD]);
fn main() {
    let _ = &REGISTRY;
}
