/** Runs while the pages' code is on its way: it has more of it fetched, and what takes a browser long the first time done. */

const locale = 'th-TH-u-ca-buddhist-nu-latn'; // any does; the code fetched later has its own formatters

/** Return the role that signed in last on this device, as `views.ts` remembers it. */
function lastRole(): string | null {
  try {
    return localStorage.getItem('role');
  } catch {
    return null; // storage may be forbidden
  }
}

/** Have the officers' page fetched together with the first file, unless somebody of another role was signed in last. */
function fetchOfficersPage(): void {
  const files = document.querySelector<HTMLScriptElement>('script[data-files]')?.dataset.files ?? '';
  for (const href of files.split(' ').filter(Boolean)) {
    const link = document.createElement('link');
    link.rel = 'modulepreload';
    link.crossOrigin = '';
    link.href = href;
    document.head.append(link);
  }
}

if ([null, 'officer'].includes(lastRole())) fetchOfficersPage();
setTimeout(() => new Intl.NumberFormat(locale).format(0));
setTimeout(() => new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', year: 'numeric' }).format(0));
setTimeout(() => new Intl.DisplayNames(locale, { type: 'language' }).of('th'));
