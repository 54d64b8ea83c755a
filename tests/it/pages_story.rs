//! A Monday morning in Debian's Chromium, against the real binary with the demo's data: a case
//! manager signs in, finds what failed, reads why, mends it and sees it turn good; and the same
//! hands without script.

use crate::pages::Shown;

/// A VAT number that the demo's register knows.
const GOOD: &str = "BE1970513032";

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_case_is_found_understood_and_mended_without_reloading() {
    let shown = Shown::start().await;
    let tab = &shown.tab;
    tab.open(&shown.url("/cases?type=company_onboarding")).await;
    tab.follow(".strip .legend a[href*='field.registry=failed']").await;
    let case = shown.case("KYB-1011").await;
    tab.until_it_says("KYB-1011").await;
    assert_eq!(
        tab.eval("document.body.innerText.includes('KYB-1001')").await,
        false,
        "only failed ones are listed"
    );

    // The keyboard: down to the row, and in.
    while tab.eval("document.querySelector('[data-row].at')?.innerText.includes('KYB-1011') ?? false").await
        != true
    {
        tab.press("j").await;
    }
    tab.follow_key("Enter").await;
    assert!(tab.eval("location.pathname").await.as_str().unwrap().starts_with(&case));
    tab.until_it_says("has nothing under the values that were sent").await;
    tab.until_it_says("Check the values in the case").await;

    // Mended; the page that comes back is not loaded again until everything has turned good.
    tab.open(&shown.url(&format!("{case}?edit=identity"))).await;
    tab.fill("input[name='data.vat_number']", GOOD).await;
    tab.follow("form.edit button.primary").await;
    tab.eval("window.stays = true").await;
    tab.until("document.querySelector('#card-registry .state.good')").await;
    tab.until("document.querySelector('#card-vat_check .state.good')").await;
    assert_eq!(tab.eval("window.stays").await, true, "the page was never loaded again");
    tab.until("document.getElementById('announcements').textContent.includes('Company registry')").await;

    // Refreshed by keyboard: the card that keys are at.
    let before = shown.demo.get(&format!("/v1/runs?field=registry&case={}", &case["/cases/".len()..])).await;
    while tab.eval("document.querySelector('[data-row].at')?.id === 'card-registry'").await != true {
        tab.press("j").await;
    }
    tab.follow_key("r").await;
    tab.until("document.querySelector('#card-registry .state.good')").await;
    let after = shown.demo.get(&format!("/v1/runs?field=registry&case={}", &case["/cases/".len()..])).await;
    let count = |runs: &serde_json::Value| runs["items"].as_array().unwrap().len();
    assert_eq!(count(&after), count(&before) + 1);

    tab.follow("form[action='/sign-out'] button").await;
    tab.open(&shown.url(&case)).await;
    tab.until("location.pathname === '/sign-in'").await;
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_stopped_elsewhere_shows_it_without_reloading() {
    let shown = Shown::start().await;
    let tab = &shown.tab;
    let name = "document.querySelector('[data-live=how] .state-tile').innerText";
    tab.open(&shown.url("/connections/credit_bureau")).await;
    assert!(tab.eval(&format!("{name}.startsWith('Closed')")).await.as_bool().unwrap());
    tab.eval("window.stays = true").await;
    shown.demo.post("/v1/connections/credit_bureau/breaker/open", &serde_json::json!({})).await;
    tab.until(&format!("{name}.startsWith('Open')")).await;
    tab.until("document.querySelector('[data-live=troubles] .state')").await;
    tab.until("document.querySelector('.head form[action$=\"breaker/close\"]')").await;
    tab.until("document.getElementById('announcements').textContent.includes('Open')").await;

    // The list, too, and what was chosen there stays chosen.
    tab.open(&shown.url("/connections")).await;
    tab.eval("window.stays = true").await;
    let row = "document.querySelector('#connection-credit_bureau')";
    tab.until(&format!("{row}.innerText.includes('Open')")).await;
    shown.demo.post("/v1/connections/credit_bureau/breaker/close", &serde_json::json!({})).await;
    tab.until(&format!("!{row}.innerText.includes('Open')")).await;
    assert_eq!(tab.eval("window.stays").await, true, "the page was never loaded again");
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_a_case_is_read_edited_refreshed_and_left() {
    let shown = Shown::start().await;
    let (tab, case) = (&shown.tab, shown.case("KYB-1010").await);
    tab.without_script().await;
    tab.open(&shown.url(&case)).await;
    tab.until_it_says("Waits for VAT number").await;
    tab.follow(&format!("a[href^='{case}?edit=identity']")).await;
    // The browser goes there when it next draws the page, with or without script.
    let opens_at = tab.eval("document.querySelector('form.edit [autofocus]').name").await;
    assert_eq!(opens_at, "data.vat_number", "it opens at what lacks");
    tab.fill("input[name='data.vat_number']", GOOD).await;
    tab.follow("form.edit button.primary").await;
    shown.demo.get(&format!("/v1{case}")).await;
    tab.open(&shown.url(&case)).await;
    assert!(tab.eval("!!document.querySelector('#card-vat_check .state.good')").await.as_bool().unwrap());

    tab.follow("#card-vat_check form[action$='/refresh'] button").await;
    shown.demo.get(&format!("/v1{case}")).await;
    let runs = shown
        .demo
        .get(&format!("/v1/runs?field=vat_check&trigger=manual&case={}", &case["/cases/".len()..]))
        .await;
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");

    tab.follow("form[action='/sign-out'] button").await;
    tab.open(&shown.url("/cases")).await;
    assert_eq!(tab.eval("location.pathname").await, "/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_types_stays_when_the_case_changes_and_both_are_told_of_a_conflict() {
    let shown = Shown::start().await;
    let (tab, case) = (&shown.tab, shown.case("KYB-1001").await);
    tab.open(&shown.url(&format!("{case}?edit=identity"))).await;
    tab.fill("input[name='data.vat_number']", "BE0000000000").await;
    let path = format!("/v1{case}");
    shown.demo.patch(&path, &serde_json::json!({"data": {"vat_number": GOOD}})).await;
    tab.until("!document.querySelector('.part [data-outdated]').hidden").await;
    assert_eq!(
        tab.eval("document.querySelector(\"input[name='data.vat_number']\").value").await,
        "BE0000000000"
    );
    tab.follow("form.edit button.primary").await;
    let page = tab.eval("document.querySelector('main').innerText").await;
    assert!(page.as_str().unwrap().contains(GOOD), "the other value is told: {page}");
    assert_eq!(
        tab.eval("document.querySelector(\"input[name='data.vat_number']\").value").await,
        "BE0000000000"
    );
    let kept = shown.demo.get(&path).await;
    assert_eq!(kept["data"]["vat_number"], GOOD, "nothing was written over");
}

#[tokio::test(flavor = "multi_thread")]
async fn fetched_cells_are_seen_on_any_screen() {
    let shown = Shown::start().await;
    let tab = &shown.tab;
    for width in [1280, 390] {
        tab.wide(width, 900).await;
        tab.open(&shown.url("/cases?type=company_onboarding")).await;
        let cells = tab
            .eval(
                "[...document.querySelectorAll('tbody tr:first-child .f')].map((cell) => {
                   const {left, right} = cell.querySelector('a').getBoundingClientRect();
                   return [left, right]; })",
            )
            .await;
        let cells = cells.as_array().unwrap();
        assert_eq!(cells.len(), 4, "one a field");
        for cell in cells {
            let (left, right) = (cell[0].as_f64().unwrap(), cell[1].as_f64().unwrap());
            assert!(left >= 0.0 && right > left && right <= f64::from(width), "{width}: {left} to {right}");
        }
    }
    // On a phone a row is a card that says what its cells are.
    let named = "getComputedStyle(document.querySelector('tbody .f'), '::before').content";
    assert_eq!(tab.eval(named).await, "\"VAT check\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_has_changed_is_marked_and_a_key_opens_the_form() {
    let shown = Shown::start().await;
    let (tab, case) = (&shown.tab, shown.case("KYB-1001").await);
    tab.open(&shown.url(&case)).await;
    shown.demo.post(&format!("/v1{case}/fields/vat_check/refresh"), &serde_json::json!({})).await;
    shown.demo.get(&format!("/v1{case}")).await;
    tab.until("document.querySelector('#card-vat_check header .fresh')").await;
    assert_eq!(tab.eval("document.querySelectorAll('[data-live].fresh, .value.fresh').length").await, 0);

    tab.follow_key("e").await;
    tab.until("document.activeElement.name === 'title'").await;
}
