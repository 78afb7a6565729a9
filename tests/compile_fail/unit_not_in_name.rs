// error: a metric with a unit must have that unit at the end of its name: "app_temperature"
use scrapeport::Gauge;
static T: Gauge = Gauge::new("app_temperature", "Temperature.").unit("celsius");
fn main() {
    T.inc();
}
