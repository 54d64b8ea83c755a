//! Schedules.

pub const TITLE: &str = "Schedules";
pub const NONE_TITLE: &str = "Nothing runs by schedule";
pub const NONE: &str = "A field with the trigger “scheduled” and a cron line in its case type runs on its own and is listed here.";
pub const TO_CASE_TYPES: &str = "Open the case types";
pub const FIELD: &str = "Field";
pub const WHEN: &str = "When";
pub const STATE: &str = "State";
pub const NEXT: &str = "Next times";
pub const LAST: &str = "Last tick";
pub const ACTIONS: &str = "Actions";
pub const NEVER: &str = "none yet";
pub const NO_NEXT: &str = "none to come";
pub const PAUSED: &str = "Paused";
pub const GOES: &str = "Active";
pub const TICKING: &str = "A tick is under way";
pub const RUN_NOW: &str = "Run now";
pub const RUN_HINT: &str = "Fires the field for every case that it is for, at low priority.";
pub const PAUSE: &str = "Pause";
pub const RESUME: &str = "Resume";
pub const MORE: &str = "Later ones";
pub const FURTHER: &str = "Further schedules";

/// What a form has done, by the code in the address.
pub fn done(code: &str) -> Option<&'static str> {
    match code {
        "begun" => Some("The schedule was begun now; its runs are being queued."),
        "paused" => Some("The schedule is paused."),
        "resumed" => Some("The schedule goes on from now."),
        _ => None,
    }
}

/// What a tick has queued.
pub fn queued(runs: u32) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}
