//! The bytes of one writable buffer, in pages that exist from their first use on.

use std::sync::{Mutex, PoisonError};

use super::page::{PAGE_BYTES, Page};

/// See the module. Threads share it; each page has its lock.
#[derive(Debug)]
pub(super) struct Store {
    size: usize,
    pages: Vec<Mutex<Option<Box<Page>>>>,
    /// What it holds before the launch, where that counts as written.
    image: Option<Vec<u8>>,
}

impl Store {
    /// Uninitialised memory.
    pub(super) fn new(size: usize) -> Self {
        let mut pages = Vec::new();
        pages.resize_with(size.div_ceil(PAGE_BYTES), Mutex::default);
        Self { size, pages, image: None }
    }

    /// Initialised memory.
    pub(super) fn with_image(image: Vec<u8>) -> Self {
        let store = Self::new(image.len());
        Self { image: Some(image), ..store }
    }

    /// Before the launch: the bytes it will hold.
    pub(super) fn image_mut(&mut self) -> Option<&mut Vec<u8>> {
        self.image.as_mut()
    }

    /// Does something to the page that holds an offset.
    pub(super) fn with_page<R>(&self, offset: usize, act: impl FnOnce(&mut Page) -> R) -> R {
        let index = offset / PAGE_BYTES;
        let mut page = self.pages[index].lock().unwrap_or_else(PoisonError::into_inner);
        act(page.get_or_insert_with(|| Box::new(self.fresh_page(index))))
    }

    fn fresh_page(&self, index: usize) -> Page {
        let start = index * PAGE_BYTES;
        match &self.image {
            Some(image) => {
                Page::with_image(start, &image[start..image.len().min(start + PAGE_BYTES)])
            }
            None => Page::new(start),
        }
    }

    /// The block that last wrote a byte, where one did.
    pub(super) fn writer(&self, offset: usize) -> Option<u32> {
        let page = self.pages.get(offset / PAGE_BYTES)?;
        page.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.writer(offset)
    }

    /// The bytes after the launch, and a bit for each that was written.
    pub(super) fn into_bytes(self) -> (Vec<u8>, Vec<u64>) {
        let mut bytes = vec![0; self.size];
        let mut written = vec![0; self.size.div_ceil(64)];
        for (index, page) in self.pages.into_iter().enumerate() {
            let Some(page) = page.into_inner().unwrap_or_else(PoisonError::into_inner) else {
                continue;
            };
            let start = index * PAGE_BYTES;
            let length = (self.size - start).min(PAGE_BYTES);
            bytes[start..start + length].copy_from_slice(&page.bytes()[..length]);
            let words = page.written().words();
            for (to, from) in written[start / 64..].iter_mut().zip(words) {
                *to = *from;
            }
        }
        (bytes, written)
    }
}
