/** Starts the pages. */

import '@fontsource-variable/noto-sans-thai/index.css';
import { render } from 'preact';
import { App } from './app';
import { fetchWords, restoreLanguage } from './i18n';
import { start } from './shell';

const host = document.getElementById('page');
if (host) {
  void restoreLanguage().then(() => {
    render(<App />, host);
    return start().then(() => fetchWords().catch(() => undefined));
  });
}
