/** The officers' page: what is known (`state`), how it is drawn (`render`), and what changes it. */

import { assessSection, notesSection } from './advice.js';
import { compare } from './changes.js';
import { createDesk } from './desk.js';
import { el, replace } from './dom.js';
import { toldSection } from './feedback.js';
import { gapsSection } from './gaps_picture.js';
import { goTo, jumps } from './jumps.js';
import { current, other, say, use } from './language.js';
import { follow } from './live.js';
import * as server from './server.js';
import { openSection, stepsSection } from './steps.js';
import { news, summarySection } from './summary.js';
import { short, timeSection } from './time.js';
import { whatIfSection } from './what_if.js';
import { whyNotSection } from './why_not.js';
import { createWord } from './word.js';

const OFFICER = '[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}';

/** `view` is one of: loading, signIn, choose, waiting, unknown, path, erased, failed. */
const state = { view: 'loading', session: undefined, officer: undefined, complaint: undefined, requestId: undefined,
  recommended: undefined, framework: undefined, change: undefined, connection: undefined, stop: undefined };

const at = (id) => document.getElementById(id);
const desk = createDesk({ changed: () => render(), signedOut: (error) => refused(error) });
const word = createWord(desk);

// --- how it is drawn

function message(title, words, ...more) {
  return el('section', { class: 'message', 'aria-labelledby': 'page-title' },
    el('h1', { id: 'page-title' }, say(title)), words && el('p', {}, say(words)), ...more);
}

function form(name, { title, why, label, hint, button, input, onsubmit }) {
  const wrong = state.complaint;
  return message(title, why, el('form', { novalidate: true, onsubmit },
    el('label', { for: name }, say(label)),
    el('p', { class: 'quiet', id: `${name}-hint` }, say(hint)),
    el('input', { id: name, name, required: true, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none',
      'data-keep': name, 'aria-describedby': wrong ? `${name}-wrong ${name}-hint` : `${name}-hint`,
      'aria-invalid': wrong ? 'true' : undefined, ...input }),
    el('p', { class: 'wrong', id: `${name}-wrong`, role: 'alert' }, wrong ? say(wrong) : ''),
    el('button', { type: 'submit', class: 'main', 'data-keep': `${name}-send` }, say(button))));
}

const retry = () => el('p', {}, el('button', { type: 'button', class: 'main', 'data-keep': 'again', onclick: start }, say('again')));

const views = {
  loading: () => message('loading'),
  signIn: () => form('key', { title: 'signIn', why: 'signInWhy', label: 'key', hint: 'keyHint', button: 'signIn',
    input: { type: 'password' }, onsubmit: signIn }),
  choose: () => form('officer', { title: 'choose', why: 'chooseWhy', label: 'officerId', hint: 'officerHint', button: 'show',
    input: { type: 'text', pattern: OFFICER, lang: 'en' }, onsubmit: choose }),
  waiting: () => message('waiting', 'waitingWhy', el('div', { class: 'pulse', 'aria-hidden': 'true' }), whose()),
  unknown: () => message('unknown', 'unknownWhy', whose()),
  erased: () => message('erased', 'erasedWhy', whose()),
  failed: () => message('failed', state.complaint ?? 'failedWhy', retry(),
    state.requestId && el('p', { class: 'quiet' }, say('reference', state.requestId))),
  path: () => {
    const { recommended: { path }, framework } = state;
    return [summarySection(state.recommended, framework, whose(), ...short(path), jumps(Boolean(framework), path.gaps.length > 0)),
      el('div', { class: 'columns' },
        path.steps.length > 0 && stepsSection(path, framework, state.change?.difference, desk, askWhyNot),
        el('div', { class: 'beside' }, timeSection(desk, path, tryTime), assessSection(path), gapsSection(path, framework),
          openSection(path), notesSection(path))),
      el('div', { class: 'desk' }, framework && [whatIfSection(desk, path, framework), whyNotSection(desk, path, framework)],
        toldSection(desk))];
  },
};

function askWhyNot(course) {
  desk.askWhyNot(course);
  goTo('why-not-title');
}

function tryTime() {
  desk.wish({ time: 'weekly' });
  const field = at('what-if-myTime');
  if (!field) return;
  field.value = 'weekly';
  goTo('what-if-weekly');
}

/** Return whose page this is, for a reader who is not the officer. */
function whose() {
  if (!state.session || state.session.role === 'officer') return undefined;
  return el('span', { class: 'whose' }, say('officer', state.officer), ' ',
    el('a', { href: '#', 'data-keep': 'another' }, say('anotherOfficer')));
}

function renderConnection() {
  const words = { open: 'connected', lost: 'disconnected', opening: 'connecting' }[state.connection];
  const line = at('connection');
  line.className = `connection ${state.connection ?? ''}`;
  line.textContent = words ? say(words) : '';
}

function renderNews() {
  at('change').classList.toggle('shown', Boolean(state.change));
  replace(at('news'), ...(state.change ? news(state.change) : []));
  at('dismiss').hidden = !state.change;
  at('dismiss').textContent = say('dismiss');
}

function render() {
  document.documentElement.lang = current();
  document.title = say('title');
  for (const [id, key] of [['skip', 'skip'], ['brand-name', 'brand'], ['brand-for', 'brandFor'], ['sign-out', 'signOut'],
    ['privacy', 'privacy']]) at(id).textContent = say(key);
  const toggle = at('language');
  toggle.lang = other();
  toggle.textContent = { th: 'ไทย', en: 'English' }[other()];
  at('sign-out').hidden = !state.session;
  at('main').setAttribute('aria-busy', String(state.view === 'loading'));
  at('main').dataset.view = state.view;
  const lost = replace(at('view'), ...[views[state.view]()].flat());
  renderConnection();
  renderNews();
  word.draw(state.view === 'path', Boolean(state.change));
  if (lost && word.shown()) at('word-close').focus({ preventScroll: true });
}

function show(view, changes = {}) {
  Object.assign(state, { complaint: undefined, requestId: undefined }, changes, { view });
  render();
}

// --- what changes it

/** Draw the reason why a request was refused. */
function refused(error) {
  if (!(error instanceof server.Refusal)) throw error;
  if (error.status === 401) {
    leave();
    show('signIn', { session: undefined, complaint: state.session ? 'sessionOver' : undefined });
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
    state.session = await server.signIn(key);
  } catch (error) {
    if (!(error instanceof server.Refusal)) throw error;
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

/** Open the page of the officer that this session is about, or ask whose. */
function enter() {
  const named = new URLSearchParams(window.location.hash.slice(1)).get('officer');
  const officer = state.session.role === 'officer' ? state.session.officer : named;
  leave();
  if (!officer) return show('choose');
  desk.open(officer, state.session.role);
  show('loading', { officer, connection: 'opening' });
  state.stop = follow(officer, {
    path: (recommended) => accept(officer, recommended),
    status: (status) => wait(officer, status),
    erased: () => show('erased', { recommended: undefined, change: undefined }),
    refused: () => check(officer),
    connection: (connection) => {
      state.connection = connection;
      renderConnection();
    },
  });
  return undefined;
}

/** Stop following; forget what was shown. */
function leave() {
  state.stop?.();
  desk.open();
  Object.assign(state, { stop: undefined, recommended: undefined, framework: undefined, change: undefined,
    connection: undefined, officer: undefined });
}

/** Draw a path that came in, and say what it changes. */
async function accept(officer, recommended) {
  const before = state.recommended;
  if (before && recommended.revision <= before.revision) return;
  const waited = ['waiting', 'unknown', 'erased'].includes(state.view);
  const difference = before && compare(before.path, recommended.path);
  const change = difference || waited ? { at: new Date(), cause: recommended.cause, difference, path: recommended.path }
    : undefined;
  desk.arrived(recommended);
  show('path', { recommended, change });
  await measure(officer, recommended);
}

/** Fetch the framework that a path is measured against; the page stands without it, with ids for names. */
async function measure(officer, recommended) {
  const { framework, versions } = recommended.path;
  if (state.framework?.known === versions.framework) return;
  try {
    const found = await server.framework(framework);
    if (state.officer !== officer) return;
    state.framework = { ...(found.framework ?? found), known: versions.framework };
    render();
  } catch (error) {
    if (error.status === 401) refused(error);
  }
}

/** There is no path yet; say so, or that nobody knows this officer, or that it cannot be had just now. */
async function wait(officer, status) {
  if (state.view === 'path') return;
  if (status === 'unavailable') {
    show('failed');
    return;
  }
  if (state.view !== 'unknown') show('waiting');
  if (state.session.role === 'officer') return;
  try {
    await server.officer(officer);
    if (state.view === 'unknown') show('waiting');
  } catch (error) {
    if (error.status === 404 && state.view === 'waiting' && state.officer === officer) show('unknown');
  }
}

/** The stream was refused: find out why. Returns false where following makes no more sense. */
async function check(officer) {
  try {
    await server.session();
  } catch (error) {
    if (error.status === 401 || state.view === 'loading') refused(error);
    return error.status !== 401;
  }
  if (state.officer === officer && state.view === 'loading') show('failed');
  return true;
}

async function start() {
  leave();
  show('loading');
  try {
    state.session = await server.session();
  } catch (error) {
    return refused(error);
  }
  return enter();
}

at('language').addEventListener('click', () => {
  use(other());
  render();
});
at('sign-out').addEventListener('click', async () => {
  try {
    await server.signOut();
  } catch (error) {
    return refused(error);
  }
  leave();
  show('signIn', { session: undefined });
  return at('main').focus();
});
at('dismiss').addEventListener('click', () => {
  state.change = undefined;
  render();
  at('main').focus();
});
at('skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address may name the officer
  at('main').focus();
});
window.addEventListener('hashchange', () => {
  if (state.session) enter();
});
start();
