//! Cross-origin resource sharing: the headers that npm's `cors` package writes for the same options.
//!
//! A page of an origin that isn't allowed is not refused: its browser keeps the answer from it. Browsers don't ask for
//! WebSockets; who wants to keep pages out looks at the Origin header when a session begins.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method, header};

/// Which pages of other origins may use the server, and how (the options of the `cors` package).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Which origins.
    pub origin: CorsOrigin,
    /// What preflight requests are told of methods. Default: `GET,HEAD,PUT,PATCH,POST,DELETE`.
    pub methods: String,
    /// What they are told of headers, with commas between; `None`, the default: what the request asks for.
    pub allowed_headers: Option<String>,
    /// Which headers of answers pages may read, with commas between. Default: `None`.
    pub exposed_headers: Option<String>,
    /// Whether requests may carry cookies and authentication. Default: false.
    pub credentials: bool,
    /// How many seconds browsers may keep the answer to a preflight request. Default: `None`.
    pub max_age: Option<u64>,
    /// Preflight requests are answered by Engine.IO, not here. Default: false.
    pub preflight_continue: bool,
    /// The status of that answer. Default: 204.
    pub options_success_status: u16,
}

/// Which origins may use the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CorsOrigin {
    /// All; the header says `*`, which browsers don't accept for requests with credentials.
    #[default]
    Any,
    /// All; the header repeats the request's origin (`origin: true`).
    Reflect,
    /// One, which every answer names.
    One(String),
    /// These, compared whole; the header repeats the request's origin if it is among them.
    List(Vec<String>),
    /// Those that the application accepts; the header repeats them.
    Asked(OriginCheck),
}

/// Says whether an origin may use the server. It is asked on the threads that answer requests, so it must not block.
#[derive(Clone)]
pub struct OriginCheck(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl OriginCheck {
    /// Asks this function.
    pub fn new(accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> OriginCheck {
        OriginCheck(Arc::new(accepts))
    }
}

impl fmt::Debug for OriginCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginCheck").finish_non_exhaustive()
    }
}

/// The same if it is the same function.
impl PartialEq for OriginCheck {
    fn eq(&self, other: &OriginCheck) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for OriginCheck {}

impl Default for Cors {
    fn default() -> Cors {
        Cors {
            origin: CorsOrigin::Any,
            methods: "GET,HEAD,PUT,PATCH,POST,DELETE".to_owned(),
            allowed_headers: None,
            exposed_headers: None,
            credentials: false,
            max_age: None,
            preflight_continue: false,
            options_success_status: 204,
        }
    }
}

impl Cors {
    /// For these origins; `*` among them stands for any.
    pub fn for_origins(origins: &[&str]) -> Cors {
        let origin = match origins {
            [] => CorsOrigin::Any,
            list if list.contains(&"*") => CorsOrigin::Any,
            [one] => CorsOrigin::One((*one).to_owned()),
            list => CorsOrigin::List(list.iter().map(|origin| (*origin).to_owned()).collect()),
        };
        Cors {
            origin,
            ..Cors::default()
        }
    }

    /// Whether a request is answered here: a preflight.
    pub fn answers(&self, method: &Method) -> bool {
        method == Method::OPTIONS && !self.preflight_continue
    }

    /// Whether all requests but preflights are answered with the same headers.
    pub fn is_same_for_all(&self) -> bool {
        matches!(self.origin, CorsOrigin::Any | CorsOrigin::One(_))
    }

    /// The headers for the answer to a request.
    pub fn headers(&self, method: &Method, request: &HeaderMap) -> Vec<(String, String)> {
        let mut answer = Answer::default();
        let text = |name: header::HeaderName| request.get(name).and_then(|value| value.to_str().ok());
        self.origin_header(text(header::ORIGIN), &mut answer);
        if self.credentials {
            answer.add("Access-Control-Allow-Credentials", "true");
        }
        if method == Method::OPTIONS {
            answer.add("Access-Control-Allow-Methods", &self.methods);
            match &self.allowed_headers {
                Some(headers) => answer.add("Access-Control-Allow-Headers", headers),
                None => {
                    answer.vary("Access-Control-Request-Headers");
                    let asked = text(header::ACCESS_CONTROL_REQUEST_HEADERS);
                    answer.add("Access-Control-Allow-Headers", asked.unwrap_or_default());
                }
            }
            if let Some(max_age) = self.max_age {
                answer.add("Access-Control-Max-Age", &max_age.to_string());
            }
        }
        answer.add(
            "Access-Control-Expose-Headers",
            self.exposed_headers.as_deref().unwrap_or_default(),
        );
        answer.finish()
    }

    fn origin_header(&self, asked: Option<&str>, answer: &mut Answer) {
        let allowed = match &self.origin {
            CorsOrigin::Any => return answer.add("Access-Control-Allow-Origin", "*"),
            CorsOrigin::One(origin) => Some(origin.as_str()),
            CorsOrigin::Reflect => asked,
            CorsOrigin::Asked(check) => asked.filter(|asked| (check.0)(asked)),
            CorsOrigin::List(list) => asked.filter(|asked| list.iter().any(|origin| origin == asked)),
        };
        answer.add("Access-Control-Allow-Origin", allowed.unwrap_or_default());
        answer.vary("Origin");
    }
}

#[derive(Default)]
struct Answer {
    headers: Vec<(String, String)>,
    vary: Vec<&'static str>,
}

impl Answer {
    /// An empty value stands for none.
    fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    fn vary(&mut self, name: &'static str) {
        self.vary.push(name);
    }

    fn finish(mut self) -> Vec<(String, String)> {
        let vary = self.vary.join(", ");
        self.add("Vary", &vary);
        self.headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cors: &Cors, method: &Method, origin: Option<&str>) -> Vec<String> {
        let mut request = HeaderMap::new();
        if let Some(origin) = origin {
            request.insert(header::ORIGIN, origin.parse().unwrap());
        }
        request.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, "x-a,x-b".parse().unwrap());
        let headers = cors.headers(method, &request);
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    }

    #[test]
    fn preflight_requests() {
        let cors = Cors {
            credentials: true,
            max_age: Some(0),
            exposed_headers: Some("x-c".to_owned()),
            ..Cors::for_origins(&["https://a.example", "https://b.example"])
        };
        assert!(cors.answers(&Method::OPTIONS) && !cors.answers(&Method::GET));
        assert_eq!(
            headers(&cors, &Method::OPTIONS, Some("https://b.example")),
            [
                "Access-Control-Allow-Origin: https://b.example",
                "Access-Control-Allow-Credentials: true",
                "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE",
                "Access-Control-Allow-Headers: x-a,x-b",
                "Access-Control-Max-Age: 0",
                "Access-Control-Expose-Headers: x-c",
                "Vary: Origin, Access-Control-Request-Headers",
            ]
        );
        let fixed = Cors {
            allowed_headers: Some("x-z".to_owned()),
            ..Cors::default()
        };
        assert_eq!(
            headers(&fixed, &Method::OPTIONS, None),
            [
                "Access-Control-Allow-Origin: *",
                "Access-Control-Allow-Methods: GET,HEAD,PUT,PATCH,POST,DELETE",
                "Access-Control-Allow-Headers: x-z",
            ]
        );
    }

    #[test]
    fn origins_that_the_application_accepts() {
        let cors = Cors {
            origin: CorsOrigin::Asked(OriginCheck::new(|origin| origin.ends_with(".example"))),
            ..Cors::default()
        };
        let yes = ["Access-Control-Allow-Origin: https://a.example", "Vary: Origin"];
        assert_eq!(headers(&cors, &Method::GET, Some("https://a.example")), yes);
        assert_eq!(
            headers(&cors, &Method::GET, Some("https://b.test")),
            ["Vary: Origin"]
        );
        assert_eq!(headers(&cors, &Method::GET, None), ["Vary: Origin"]);
    }

    #[test]
    fn other_requests() {
        let one = Cors::for_origins(&["https://a.example"]);
        let named = ["Access-Control-Allow-Origin: https://a.example", "Vary: Origin"];
        assert_eq!(headers(&one, &Method::GET, Some("https://evil.example")), named);
        let list = Cors::for_origins(&["https://a.example", "https://b.example"]);
        assert_eq!(headers(&list, &Method::GET, Some("https://a.example")), named);
        assert_eq!(
            headers(&list, &Method::GET, Some("https://A.example")),
            ["Vary: Origin"]
        );
        assert_eq!(headers(&list, &Method::GET, None), ["Vary: Origin"]);
        let reflect = Cors {
            origin: CorsOrigin::Reflect,
            ..Cors::default()
        };
        assert_eq!(headers(&reflect, &Method::POST, Some("https://a.example")), named);
        assert_eq!(
            headers(&Cors::for_origins(&["*"]), &Method::GET, Some("null")),
            ["Access-Control-Allow-Origin: *"]
        );
    }
}
