//! Tests come with the next commit of this file.
