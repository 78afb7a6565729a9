// error: a state set has the same state twice: "up"
use scrapeport::StateSet;
static S: StateSet<3> = StateSet::new("s", "S.", ["up", "down", "up"]);
fn main() {
    S.set("up");
}
