//! What a run that waits shows: a parked one, what its lane says now. Expressions over the row of
//! a run.

/// Until when the circuit of a run is open: that of its endpoint where its lane has one for each,
/// else the lane's own.
macro_rules! open_until {
    () => {
        "CASE WHEN run.endpoint IS NOT NULL AND breaker LIKE '%\"endpoint\"%' THEN (SELECT circuit.open_until FROM circuit \
         WHERE circuit.workspace_id = run.workspace_id AND circuit.lane = run.lane AND circuit.endpoint = run.endpoint) \
         ELSE lane.open_until END"
    };
}

/// What a run waits for, as it is shown: a parked one for what its lane says now.
pub(super) const WAITING_FOR: &str = concat!(
    "CASE WHEN parked THEN COALESCE((SELECT CASE WHEN disabled OR held THEN 'connection' WHEN ",
    open_until!(),
    " IS NOT NULL THEN 'circuit' ELSE 'rate_limit' END FROM lane WHERE lane.workspace_id = run.workspace_id \
     AND lane.key = run.lane), 'worker') ELSE waiting_for END"
);

/// When a run is due, as it is shown: a parked one when its lane opens, as far as that is known.
pub(super) const DUE_AT: &str = concat!(
    "CASE WHEN parked THEN (SELECT CASE WHEN disabled OR held THEN NULL WHEN ",
    open_until!(),
    " IS NOT NULL THEN ",
    open_until!(),
    " WHEN paused_until > COALESCE(run.due_at, 0) THEN paused_until ELSE run.due_at END FROM lane \
     WHERE lane.workspace_id = run.workspace_id AND lane.key = run.lane) ELSE due_at END"
);
