//! The bytes of one writable buffer, in pages that exist from their first use on.

use std::sync::{Arc, Mutex, PoisonError};

use super::page::{PAGE_BYTES, Page};

/// Pages of launches that are over. The next launch takes them from here: to have the operating
/// system map fresh memory would cost several times what is then done with it.
#[expect(clippy::vec_box, reason = "pages move between here and their stores")]
static USED_PAGES: Mutex<Vec<Box<Page>>> = Mutex::new(Vec::new());

/// Pages kept, 50 MiB.
const USED_PAGES_MAX: usize = 2048;

/// See the module. Threads share it; each page has its lock.
#[derive(Debug)]
pub(super) struct Store {
    size: usize,
    pages: Vec<Mutex<Option<Box<Page>>>>,
    /// What it holds before the launch.
    image: Image,
}

/// What memory holds before the launch.
#[derive(Debug)]
pub(super) enum Image {
    /// Nothing: it is uninitialised.
    None,
    /// A module variable's initialiser. All of it counts as written.
    Own(Vec<u8>),
    /// A filled buffer's bytes, shared between launches. All of it counts as written.
    Shared(Arc<[u8]>),
}

impl Image {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::None => None,
            Self::Own(bytes) => Some(bytes),
            Self::Shared(bytes) => Some(bytes),
        }
    }
}

impl Store {
    /// Memory of that many bytes, as many as the image has.
    pub(super) fn new(size: usize, image: Image) -> Self {
        let mut pages = Vec::new();
        pages.resize_with(size.div_ceil(PAGE_BYTES), Mutex::default);
        Self { size, pages, image }
    }

    /// Before the launch: the bytes a variable will hold.
    pub(super) fn image_mut(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.image {
            Image::Own(bytes) => Some(bytes),
            Image::None | Image::Shared(_) => None,
        }
    }

    /// Does something to the page that holds an offset.
    pub(super) fn with_page<R>(&self, offset: usize, act: impl FnOnce(&mut Page) -> R) -> R {
        let index = offset / PAGE_BYTES;
        let mut page = self.pages[index].lock().unwrap_or_else(PoisonError::into_inner);
        act(page.get_or_insert_with(|| self.fresh_page(index)))
    }

    fn fresh_page(&self, index: usize) -> Box<Page> {
        let start = index * PAGE_BYTES;
        let used = USED_PAGES.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut page = match used {
            Some(mut page) => {
                page.reset(start);
                page
            }
            None => Box::new(Page::new(start)),
        };
        if let Some(image) = self.image.bytes() {
            page.set_image(&image[start..image.len().min(start + PAGE_BYTES)]);
        }
        page
    }

    /// The block that last wrote a byte, where one did.
    pub(super) fn writer(&self, offset: usize) -> Option<u32> {
        let page = self.pages.get(offset / PAGE_BYTES)?;
        page.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.writer(offset)
    }

    /// The bytes after the launch, and a bit for each that was written.
    pub(super) fn into_bytes(mut self) -> (Vec<u8>, Vec<u64>) {
        let words = self.size.div_ceil(64);
        let (mut bytes, mut written) = match self.image.bytes() {
            Some(image) => (image.to_vec(), vec![u64::MAX; words]),
            None => (vec![0; self.size], vec![0; words]),
        };
        for (index, page) in self.pages.iter_mut().enumerate() {
            let Some(page) = page.get_mut().unwrap_or_else(PoisonError::into_inner) else {
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

impl Drop for Store {
    fn drop(&mut self) {
        let pages = self.pages.drain(..);
        let pages = pages.filter_map(|p| p.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut used = USED_PAGES.lock().unwrap_or_else(PoisonError::into_inner);
        let room = USED_PAGES_MAX.saturating_sub(used.len());
        used.extend(pages.take(room));
    }
}
