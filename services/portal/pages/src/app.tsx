/** The frame of every page: head, foot, sign-in, and the page of the person who is signed in. */

import { signal, useSignal } from '@preact/signals';
import type { ComponentType, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { readStart, type Session, signIn } from './api';
import { asApiError } from './errors';
import { type Key, language, otherLanguage, setLanguage, t } from './i18n';
import icon from './icon.svg';
import { isOwnMachine } from './key_link';
import { announceSession, attempt, connection, enter, focusOn, lapsed, makeWay, notFetched, openid, recover, session, sharing, show, shown, signInComplaint, signOut, start, title as pageTitle } from './shell';
import { placedTop } from './place';
import { AfterPaint, Button, EntryForm, Message } from './ui';
import type { ShareLink } from './share_link';
import { type Load, sharedPage, VIEWS } from './views';

const NAMES = { th: 'ไทย', en: 'English' } as const;
/** Shown to readers who choose English while the English words cannot be fetched. */
const NO_ENGLISH = 'The page could not be shown in English. Check the connection, then try again.';
const LONGEST_GOAL = 500; // characters
const RECOVER_MS = 10_000;

async function enterKey(key: string): Promise<void> {
  const complain = (complaint: Key) => {
    signInComplaint.value = complaint;
    if (!lapsed.value) show('signIn');
    focusOn('key');
  };
  if (!key) {
    complain('keyNeeded');
    return;
  }
  try {
    enter(await signIn(key));
    announceSession();
  } catch (thrown) {
    const { status } = asApiError(thrown);
    complain(status === 0 ? 'unreachable' : status >= 500 ? 'busy' : status === 429 ? 'problems.429' : 'keyRefused');
    return;
  }
  outcome.value = undefined;
  focusOn('main');
}

/** Sign in with the key of a link, instead of the person who was signed in. Works only if the portal is on the reader's own machine. */
export async function enterByLink(key: string): Promise<void> {
  if (!isOwnMachine(window.location.hostname)) {
    if (!session.value) await start();
    if (!session.value || lapsed.value) signInComplaint.value = 'keyLinkElsewhere';
    return;
  }
  makeWay();
  readStart().then(
    (found) => {
      openid.value = found.openid;
    },
    () => undefined, // a key still signs in
  );
  await enterKey(key);
}

const OUTCOMES: Partial<Record<string, Key>> = {
  expired: 'openid.expired',
  refused: 'openid.refused',
  unknown: 'openid.unknown',
  unavailable: 'openid.unavailable',
};

/** The result of the last sign-in with an organisation's account, which the portal puts into the address. */
const outcome = signal(OUTCOMES[new URLSearchParams(window.location.search).get('sign-in') ?? '']);
if (outcome.value) window.history.replaceState(null, '', `/${window.location.hash}`); // it is shown once

/** Return the address to open after signing in: the current one, or `/` if its fragment is long or not plain. */
function goal(): string {
  const { hash } = window.location;
  return hash.length < LONGEST_GOAL && /^[!-~]*$/.test(hash) ? `/${hash}` : '/';
}

/** Sign-in with an organisation's account, if the portal has a provider. */
function OpenId(): JSX.Element | null {
  if (!openid.value) return null;
  return (
    <div class="message">
      <p class="wrong" role="alert">
        {outcome.value && t(outcome.value)}
      </p>
      <p>
        <a
          class="button main"
          href={`/session/openid?${new URLSearchParams({ to: goal() })}`}
          data-keep="openid"
          {...(lapsed.value ? { target: '_blank' } : {})}
        >
          {t('openid.signIn')}
        </a>
      </p>
      {lapsed.value && <p class="quiet">{t('openid.elsewhere')}</p>}
      <p class="quiet">{t('openid.orKey')}</p>
    </div>
  );
}

function KeyForm(): JSX.Element {
  return (
    <EntryForm
      name="key"
      title="signIn"
      why="signInWhy"
      label="key"
      hint="keyHint"
      button="signIn"
      complaint={signInComplaint.value}
      input={{ type: 'password' }}
      onEntry={enterKey}
    />
  );
}

const SignIn = (): JSX.Element => (
  <>
    <OpenId />
    <KeyForm />
  </>
);

/** A screen that says what could not be fetched, with a button to try again. */
function Failed(): JSX.Element {
  const { complaint, requestId } = shown.value;
  useEffect(() => {
    const timer = window.setInterval(() => void recover(), RECOVER_MS);
    return () => window.clearInterval(timer);
  }, []);
  return (
    <Message title="failed" why={complaint ?? 'failedWhy'}>
      <p>
        <Button name="again" class="main" onClick={start}>
          {t('again')}
        </Button>
      </p>
      {requestId && <p class="quiet">{t('reference', { id: requestId })}</p>}
    </Message>
  );
}

/** Return a page once it is fetched. */
function useFetched<P>(load: Load<P>): ComponentType<P> | undefined {
  const page = useSignal<ComponentType<P> | undefined>(undefined);
  useEffect(() => {
    load().then(
      (found) => {
        page.value = found.default;
      },
      notFetched,
    );
  }, [load, page]);
  return page.value;
}

/** The page of a role, once it is fetched. */
function RolePage({ role }: { role: Session['role'] }): JSX.Element {
  const Page = useFetched(VIEWS[role]);
  return Page ? <Page /> : <Message title="loading" />;
}

/** What a share link opens, regardless of who is signed in. */
function LinkPage({ link }: { link: ShareLink | null }): JSX.Element {
  const Page = useFetched(sharedPage);
  if (Page) return <Page link={link} />;
  return shown.value.screen === 'failed' ? <Message title="failed" why="unreachable" /> : <Message title="loading" />;
}

function View(): JSX.Element {
  const { screen } = shown.value;
  if (sharing.value !== undefined) return <LinkPage link={sharing.value} />;
  const { value: who } = session;
  if (who) {
    return (
      <>
        {lapsed.value ? <SignIn /> : screen === 'failed' && <Failed />}
        <div hidden={lapsed.value || screen === 'failed'} key={`${attempt.value} ${JSON.stringify(who)}`}>
          <RolePage role={who.role} />
        </div>
      </>
    );
  }
  if (screen === 'signIn') return <SignIn />;
  return screen === 'failed' ? <Failed /> : <Message title="loading" />;
}

function Masthead(): JSX.Element {
  const isSignedIn = Boolean(session.value) && !lapsed.value;
  const leaving = useSignal(false);
  const failed = useSignal<'language' | 'signOut' | undefined>(undefined); // the page stays as it is
  useEffect(() => {
    failed.value = undefined;
  }, [isSignedIn, failed]);
  const changing = useSignal(false);
  const change = async () => {
    changing.value = true;
    if (failed.value === 'language') failed.value = undefined;
    try {
      await setLanguage(otherLanguage());
    } catch {
      failed.value = 'language';
    }
    changing.value = false;
  };
  const go = async (everywhere = false) => {
    leaving.value = true;
    failed.value = undefined;
    if (!(await signOut(everywhere))) failed.value = 'signOut';
    leaving.value = false;
  };
  return (
    <header class="masthead">
      <div class="masthead-row">
        <p class="brand">
          <img src={icon} alt="" width="36" height="36" />
          <span>
            <strong>{t('brand')}</strong>
            <span>{t('brandFor')}</span>
          </span>
        </p>
        <div class="tools">
          <Button name="language" id="language" lang={otherLanguage()} busy={changing.value} onClick={change}>
            {NAMES[otherLanguage()]}
          </Button>
          {isSignedIn && (
            <Button name="sign-out" id="sign-out" busy={leaving.value} onClick={() => go()}>
              {t('signOut')}
            </Button>
          )}
          {isSignedIn && openid.value && (
            <Button name="sign-out-everywhere" id="sign-out-everywhere" busy={leaving.value} onClick={() => go(true)}>
              {t('openid.signOutEverywhere')}
            </Button>
          )}
        </div>
        <p class="wrong" id="head-wrong" role="alert">
          {failed.value === 'signOut' && t('signOutFailed')}
          {failed.value === 'language' && (
            <>
              {t('languageFailed')} <span lang="en">{NO_ENGLISH}</span>
            </>
          )}
        </p>
      </div>
    </header>
  );
}

function ConnectionLine(): JSX.Element {
  const state = lapsed.value ? undefined : connection.value;
  const words: Key | undefined = state && ({ open: 'connected', lost: 'disconnected', opening: 'connecting' } as const)[state];
  return (
    <p class={`connection ${state ?? ''}`} id="connection" role="status">
      {words && t(words)}
    </p>
  );
}

/** Moves the focus to the sign-in when it replaces a page, and scrolls back to the reader's place when the page returns. */
function useReturnedFocus(isOver: boolean): void {
  const held = useRef<{ focused: Element | null; top: number } | null>(null);
  useLayoutEffect(() => {
    if (isOver) {
      held.current = { focused: document.activeElement, top: placedTop() };
      focusOn('main');
    } else if (held.current) {
      const { focused, top } = held.current;
      if (focused instanceof HTMLElement && focused.isConnected) focused.focus({ preventScroll: true });
      window.scrollTo(0, top);
      held.current = null;
    }
  }, [isOver]);
}

/** The whole page. */
export function App(): JSX.Element {
  const screen = lapsed.value ? 'signIn' : shown.value.screen;
  useReturnedFocus(lapsed.value);
  const spoken = language();
  const title = t(pageTitle.value);
  useLayoutEffect(() => {
    document.documentElement.lang = spoken;
    document.title = title;
  }, [spoken, title]);
  const skip = (event: Event) => {
    event.preventDefault(); // the address may name the officer
    focusOn('main');
  };
  return (
    <>
      <a class="skip" href="#main" id="skip" onClick={skip}>
        {t('skip')}
      </a>
      <Masthead />
      <ConnectionLine />
      <main id="main" tabIndex={-1} aria-busy={screen === 'loading'} data-view={screen}>
        <View />
      </main>
      {screen !== 'loading' && (
        <AfterPaint>
          {() => (
            <footer class="colophon">
              <p>{t('privacy')}</p>
            </footer>
          )}
        </AfterPaint>
      )}
    </>
  );
}
