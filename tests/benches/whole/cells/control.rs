//! What a long history of decisions costs: the start of a daemon that folds it.

use tests::performance::cell::{Cell, Judged};

use crate::channel;
use crate::instance::{Instance, SOFT};
use crate::people::People;
use crate::rounds::Looks;
use crate::stage::Stage;

/// Control records of the log.
const RECORDS: u64 = 10_000;

/// Keys that were born in them.
const KEYS: usize = 20;

/// A start over a log of control records alone.
pub fn restarted(stage: &mut Stage) -> Result<Vec<Cell>, String> {
    println!("making an instance with {RECORDS} control records");
    let mut instance = Instance::begin(stage.program(), &stage.directory("control"));
    instance.born(SOFT, "software", None);
    for number in 1..KEYS {
        instance.born(&format!("bench/born-{number}"), "software", None);
    }
    instance.start();
    let target = instance.target(SOFT);
    let size = stage.runtime.block_on(async {
        let channel = channel::connect(target.address, &target.identity).await?;
        let mut people = People::of(instance.directory(), channel);
        people.fill(RECORDS).await?;
        Ok::<_, String>(people.head().await?.size)
    })?;
    let (mut starts, mut looks) = (Vec::new(), Looks::default());
    for round in 1..=stage.pace.rounds {
        instance.stop();
        looks.before(&mut stage.disk);
        let took = instance.start().as_secs_f64() * 1e3;
        looks.after(&mut stage.disk);
        println!("  {round}/{} start: {took:.0} ms", stage.pace.rounds);
        starts.push(took);
    }
    instance.stop();
    let about = format!(
        "From the start of the process to READY=1 over {size} records, all of ceremonies: {KEYS} keys that were born, and \
         proposals that were approved, attested and vetoed."
    );
    let mut cells =
        vec![Cell::shown("control/start", "ms", &starts, &about).held(Judged::ValueAtMost, 200.0, None)];
    cells.extend(looks.cells("control/start"));
    Ok(cells)
}
