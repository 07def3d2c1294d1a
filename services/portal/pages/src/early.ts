/** Runs while the pages' code is on its way: a browser's first formatter of numbers, and of dates, takes long to make. */

const locale = 'th-TH-u-ca-buddhist-nu-latn'; // any does; the code fetched later has its own formatters

setTimeout(() => new Intl.NumberFormat(locale).format(0));
setTimeout(() => new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric' }).format(0));
setTimeout(() => new Intl.DisplayNames(locale, { type: 'language' }).of('th'));
