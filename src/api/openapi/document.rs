//! x
pub fn openapi_json() -> String {
    String::new()
}
pub async fn document() -> actix_web::HttpResponse {
    actix_web::HttpResponse::Ok().finish()
}
