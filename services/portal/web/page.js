/** The officers' page: rendering, and the events that change what the store holds. */

import * as api from './api.js';
import { compare } from './changes.js';
import { h, replace } from './dom.js';
import { statementsSection } from './feedback.js';
import { gapsSection } from './gap_chart.js';
import { language, otherLanguage, setLanguage, t } from './i18n.js';
import { follow } from './live.js';
import { assessSection, notesSection } from './notices.js';
import { goTo, pageNav } from './page_nav.js';
import { openSection, stepsSection } from './steps.js';
import { createStore } from './store.js';
import { short, timeSection } from './study_time.js';
import { news, summarySection } from './summary.js';
import { createToast } from './toast.js';
import { whatIfSection } from './what_if.js';
import { whyNotSection } from './why_not.js';

const OFFICER = '[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}';

const at = (id) => document.getElementById(id);
const store = createStore({ changed: () => render(), signedOut: (error) => refused(error) });
const toast = createToast(store);

// --- rendering

function message(title, words, ...more) {
  return h('section', { class: 'message', 'aria-labelledby': 'page-title' },
    h('h1', { id: 'page-title' }, t(title)), words && h('p', {}, t(words)), ...more);
}

function form(name, { title, why, label, hint, button, input, onsubmit }) {
  const wrong = store.page.complaint;
  return message(title, why, h('form', { novalidate: true, onsubmit },
    h('label', { for: name }, t(label)),
    h('p', { class: 'quiet', id: `${name}-hint` }, t(hint)),
    h('input', { id: name, name, required: true, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none',
      'data-keep': name, 'aria-describedby': wrong ? `${name}-wrong ${name}-hint` : `${name}-hint`,
      'aria-invalid': wrong ? 'true' : undefined, ...input }),
    h('p', { class: 'wrong', id: `${name}-wrong`, role: 'alert' }, wrong ? t(wrong) : ''),
    h('button', { type: 'submit', class: 'main', 'data-keep': `${name}-send` }, t(button))));
}

const retry = () => h('p', {}, h('button', { type: 'button', class: 'main', 'data-keep': 'again', onclick: start }, t('again')));

const views = {
  loading: () => message('loading'),
  signIn: () => form('key', { title: 'signIn', why: 'signInWhy', label: 'key', hint: 'keyHint', button: 'signIn',
    input: { type: 'password' }, onsubmit: signIn }),
  choose: () => form('officer', { title: 'choose', why: 'chooseWhy', label: 'officerId', hint: 'officerHint', button: 'show',
    input: { type: 'text', pattern: OFFICER, lang: 'en' }, onsubmit: choose }),
  waiting: () => message('waiting', 'waitingWhy', h('div', { class: 'pulse', 'aria-hidden': 'true' }), whose()),
  unknown: () => message('unknown', 'unknownWhy', whose()),
  erased: () => message('erased', 'erasedWhy', whose()),
  failed: () => message('failed', store.page.complaint ?? 'failedWhy', retry(),
    store.page.requestId && h('p', { class: 'quiet' }, t('reference', store.page.requestId))),
  path: () => {
    const { recommended: { path }, framework } = store.page;
    return [summarySection(store.page.recommended, framework, whose(), ...short(path), pageNav(Boolean(framework), path.gaps.length > 0)),
      h('div', { class: 'columns' },
        path.steps.length > 0 && stepsSection(path, framework, store.page.change?.difference, store, askWhyNot),
        h('div', { class: 'beside' }, timeSection(store, path, tryTime), assessSection(path), gapsSection(path, framework),
          openSection(path), notesSection(path))),
      h('div', { class: 'controls' }, framework && [whatIfSection(store, path, framework), whyNotSection(store, path, framework)],
        statementsSection(store))];
  },
};

function askWhyNot(course) {
  store.askWhyNot(course);
  goTo('why-not-title');
}

function tryTime() {
  store.setWhatIf({ time: 'weekly' });
  const field = at('what-if-myTime');
  if (!field) return;
  field.value = 'weekly';
  goTo('what-if-weekly');
}

/** Return whose page this is, for a reader who is not the officer. */
function whose() {
  if (!store.page.session || store.page.session.role === 'officer') return undefined;
  return h('span', { class: 'whose' }, t('officer', store.page.officer), ' ',
    h('a', { href: '#', 'data-keep': 'another' }, t('anotherOfficer')));
}

function renderConnection() {
  const words = { open: 'connected', lost: 'disconnected', opening: 'connecting' }[store.page.connection];
  const line = at('connection');
  line.className = `connection ${store.page.connection ?? ''}`;
  line.textContent = words ? t(words) : '';
}

function renderNews() {
  at('change').classList.toggle('shown', Boolean(store.page.change));
  replace(at('news'), ...(store.page.change ? news(store.page.change) : []));
  at('dismiss').hidden = !store.page.change;
  at('dismiss').textContent = t('dismiss');
}

function render() {
  document.documentElement.lang = language();
  document.title = t('title');
  for (const [id, key] of [['skip', 'skip'], ['brand-name', 'brand'], ['brand-for', 'brandFor'], ['sign-out', 'signOut'],
    ['privacy', 'privacy']]) at(id).textContent = t(key);
  const toggle = at('language');
  toggle.lang = otherLanguage();
  toggle.textContent = { th: 'ไทย', en: 'English' }[otherLanguage()];
  at('sign-out').hidden = !store.page.session;
  at('main').setAttribute('aria-busy', String(store.page.view === 'loading'));
  at('main').dataset.view = store.page.view;
  const lost = replace(at('view'), ...[views[store.page.view]()].flat());
  renderConnection();
  renderNews();
  toast.render(store.page.view === 'path', Boolean(store.page.change));
  if (lost && toast.isShown()) at('toast-close').focus({ preventScroll: true });
}

function show(view, changes = {}) {
  store.set({ complaint: undefined, requestId: undefined, ...changes, view });
}

// --- events

/** Show why a request was refused. */
function refused(error) {
  if (!(error instanceof api.ApiError)) throw error;
  if (error.status === 401) {
    leave();
    show('signIn', { session: undefined, complaint: store.page.session ? 'sessionOver' : undefined });
  } else show('failed', { complaint: error.status === 0 ? 'unreachable' : undefined, requestId: error.requestId });
}

async function signIn(event) {
  event.preventDefault();
  const field = at('key');
  const key = field.value.trim();
  const complain = (complaint) => {
    show('signIn', { complaint });
    at('key').focus();
  };
  if (!key) return complain('keyNeeded');
  event.submitter?.setAttribute('disabled', '');
  try {
    store.page.session = await api.signIn(key);
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    return complain(error.status === 0 ? 'unreachable' : error.status >= 500 ? 'busy' : 'keyRefused');
  }
  field.value = '';
  at('main').focus();
  return enter();
}

function choose(event) {
  event.preventDefault();
  const officer = at('officer').value.trim();
  if (new RegExp(`^${OFFICER}$`).test(officer)) window.location.hash = `officer=${officer}`;
  else {
    show('choose', { complaint: 'officerNeeded' });
    at('officer').focus();
  }
}

/** Open the page of the session's officer, or ask which officer. */
function enter() {
  const named = new URLSearchParams(window.location.hash.slice(1)).get('officer');
  const officer = store.page.session.role === 'officer' ? store.page.session.officer : named;
  leave();
  if (!officer) return show('choose');
  store.open(officer, store.page.session.role);
  show('loading', { officer, connection: 'opening' });
  store.page.stop = follow(officer, {
    path: (recommended) => accept(officer, recommended),
    status: (status) => wait(officer, status),
    erased: () => show('erased', { recommended: undefined, change: undefined }),
    refused: () => check(officer),
    connection: (connection) => {
      store.page.connection = connection;
      renderConnection();
    },
  });
  return undefined;
}

/** Close the stream and clear the page. */
function leave() {
  store.page.stop?.();
  store.open();
  Object.assign(store.page, { stop: undefined, recommended: undefined, framework: undefined, change: undefined,
    connection: undefined, officer: undefined });
}

/** Show an arrived path and what it changes. */
async function accept(officer, recommended) {
  const before = store.page.recommended;
  if (before && recommended.revision <= before.revision) return;
  const waited = ['waiting', 'unknown', 'erased'].includes(store.page.view);
  const difference = before && compare(before.path, recommended.path);
  const change = difference || waited ? { at: new Date(), cause: recommended.cause, difference, path: recommended.path }
    : undefined;
  store.arrived(recommended);
  show('path', { recommended, change });
  await measure(officer, recommended);
}

/** Fetch the framework of a path; without it the page shows ids for names. */
async function measure(officer, recommended) {
  const { framework, versions } = recommended.path;
  if (store.page.framework?.known === versions.framework) return;
  try {
    const found = await api.framework(framework);
    if (store.page.officer !== officer) return;
    store.page.framework = { ...(found.framework ?? found), known: versions.framework };
    render();
  } catch (error) {
    if (error.status === 401) refused(error);
  }
}

/** Show that there is no path yet, that the officer is unknown, or that the service is unavailable. */
async function wait(officer, status) {
  if (store.page.view === 'path') return;
  if (status === 'unavailable') {
    show('failed');
    return;
  }
  if (store.page.view !== 'unknown') show('waiting');
  if (store.page.session.role === 'officer') return;
  try {
    await api.officer(officer);
    if (store.page.view === 'unknown') show('waiting');
  } catch (error) {
    if (error.status === 404 && store.page.view === 'waiting' && store.page.officer === officer) show('unknown');
  }
}

/** Find out why the stream was refused. Returns false where reconnecting is useless. */
async function check(officer) {
  try {
    await api.session();
  } catch (error) {
    if (error.status === 401 || store.page.view === 'loading') refused(error);
    return error.status !== 401;
  }
  if (store.page.officer === officer && store.page.view === 'loading') show('failed');
  return true;
}

async function start() {
  leave();
  show('loading');
  try {
    store.page.session = await api.session();
  } catch (error) {
    return refused(error);
  }
  return enter();
}

at('language').addEventListener('click', () => {
  setLanguage(otherLanguage());
  render();
});
at('sign-out').addEventListener('click', async () => {
  try {
    await api.signOut();
  } catch (error) {
    return refused(error);
  }
  leave();
  show('signIn', { session: undefined });
  return at('main').focus();
});
at('dismiss').addEventListener('click', () => {
  store.page.change = undefined;
  render();
  at('main').focus();
});
at('skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address may name the officer
  at('main').focus();
});
window.addEventListener('hashchange', () => {
  if (store.page.session) enter();
});
start();
