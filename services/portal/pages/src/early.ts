/** Runs while the pages' code is being fetched: it requests further files, and makes the formatters, which take long the first time. */

const locale = 'th-TH-u-ca-buddhist-nu-latn'; // any does; the code fetched later has its own formatters

/** Return the role that signed in last on this device, as `views.ts` remembers it. */
function lastRole(): string | null {
  try {
    return localStorage.getItem('role');
  } catch {
    return null; // storage may be forbidden
  }
}

/** Fetch the officers' page together with the first file, unless the last person who signed in has another role. */
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
