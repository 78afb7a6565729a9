//! Textfile.
