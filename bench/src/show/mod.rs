//! What is made from the figures of a run, besides the tables on the terminal.
//!
//! ```text
//!   page        the HTML page
//!   markdown    BENCHMARKS.md
//!   plots       the pictures
//!   lab         the picture and the table of the models lab
//!   reasons     what people wrote about single rows
//! ```
mod lab;
pub(crate) mod markdown;
pub(crate) mod page;
mod plots;
mod reasons;
