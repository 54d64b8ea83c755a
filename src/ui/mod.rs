//! Door 2: the pages, for case managers and for those who build connectors.
//!
//! Every page is made on the server, from the same use cases as the API, and works without
//! script: forms are sent, the answer is a redirect, the page shows what came of it. Script adds
//! what makes a day pleasant (changes appear by themselves, keys, ages that count on) and is our
//! own. A page is a `.rs` and its `.html` side by side, and one line in `routes.rs`. Every text
//! that people read stands in `words/`.

/// Every page's URL.
mod routes;

/// What goes around every page: refusals as pages, and headers that keep foreign script out.
mod edge;
mod heads;
mod safety;

/// Who looks, and the forms that they send.
mod posted;
mod session;
mod visitor;

/// Signing in and out.
mod client;
mod next;
mod sign_in;

/// One's own account, and everybody's.
mod account;
mod browser;
mod people;
mod person;
mod wrong;

/// Styles, scripts and icons, embedded.
mod asset;

/// What all pages have around their content, and how one is sent.
mod frame;

/// Refusals, as pages.
mod refusal;

/// The list of cases: the view that its address says, bars, columns and rows.
mod case_bars;
mod case_cells;
mod case_columns;
mod case_list;
mod list_chips;
mod list_page;
mod list_query;

/// New cases.
mod case_new;
mod case_new_form;

/// What people read, in one place.
mod words;

/// Streams that keep pages alive.
mod live;

/// The page of a case: its address, values, cards, forms, activity and what its buttons do.
mod case_actions;
mod case_activity;
mod case_address;
mod case_cards;
mod case_detail;
mod case_first;
mod case_form;
mod case_inputs;
mod case_places;
mod case_room;
mod case_save;
mod case_sections;
mod case_trouble;
mod case_values;
mod digits;
mod labels;

/// How times, field states and values are shown.
mod moment;
mod state;
mod value;

/// Texts whose masked places are seen, and the way back after a form.
mod back;
mod masked;

/// The history of runs.
mod history;

/// Case types, connections, schedules and secrets.
mod builder;

pub use routes::{configure, configure_rest};
