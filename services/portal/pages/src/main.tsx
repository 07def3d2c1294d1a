/** Starts the pages. */

import '@fontsource-variable/noto-sans-thai/index.css';
import './styles/page.css';
import './styles/controls.css';
import './styles/skills.css';
import { render } from 'preact';
import { App, enterByLink } from './app';
import { prepareFormats } from './formats';
import { fetchWords, restoreLanguage } from './i18n';
import { takeKey } from './key_link';
import { checkSession, open, sharing } from './shell';
import { shareLinkOf } from './share_link';
import { drawForPaper, printing } from './ui';
import { fetchLastPage } from './views';

const WORDS_AFTER_MS = 2000; // what is shown first is fetched first

const host = document.getElementById('page');
if (host) {
  const key = takeKey();
  if (shareLinkOf(window.location.hash) === undefined) fetchLastPage();
  // The session is fetched while words are fetched and the head is drawn.
  const opened = key === undefined ? open() : undefined;
  void restoreLanguage()
    .then(() => {
      render(<App />, host);
      return key === undefined ? opened : enterByLink(key);
    })
    .then(() => {
      setTimeout(() => void fetchWords().catch(() => undefined), WORDS_AFTER_MS);
    });
  prepareFormats(); // while the session is fetched
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void checkSession();
  });
  window.addEventListener('beforeprint', drawForPaper);
  window.addEventListener('afterprint', () => {
    printing.value = false;
  });
  window.addEventListener('hashchange', () => {
    const another = takeKey(); // a link that was opened in this tab
    if (another !== undefined) void enterByLink(another);
    else if (sharing.value !== undefined || shareLinkOf(window.location.hash) !== undefined) void open();
  });
}
