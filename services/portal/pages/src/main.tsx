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
import { keepPlace } from './place';
import { checkSession, open, sharing } from './shell';
import { shareLinkOf } from './share_link';
import { drawForPaper, printing } from './ui';
import { fetchLastPage } from './views';

const WORDS_AFTER_MS = 2000; // what is shown first is fetched first

/** Continue in another task, so that none is long. (Browsers delay timers of a page in the background, but no messages.) */
const anotherTask = (): Promise<unknown> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(undefined);
  });

const host = document.getElementById('page');
if (host) {
  const key = takeKey();
  keepPlace();
  const begin = async (): Promise<void> => {
    await anotherTask();
    // The session is fetched while words and the page are fetched and the head is drawn.
    const opened = key === undefined ? open() : undefined;
    if (shareLinkOf(window.location.hash) === undefined) fetchLastPage();
    await restoreLanguage();
    await anotherTask();
    render(<App />, host);
    prepareFormats();
    await (key === undefined ? opened : enterByLink(key));
    setTimeout(() => void fetchWords().catch(() => undefined), WORDS_AFTER_MS);
  };
  void begin();
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
