/** Share links: for how long, those that are open, and ending them. Fetched when it is opened. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import * as api from '../api';
import { asApiError, Trouble } from '../errors';
import { clock, day, momentOf } from '../formats';
import { t } from '../i18n';
import { shareAddress } from '../share_link';
import { focusOn } from '../shell';
import { Button, field } from '../ui';
import type { Visit } from './visit';

const DAYS = [7, 14, 30, 90];
const USUAL = 14;

/** The address of a link that was just made; it is shown only once. */
function Made({ address, until }: { address: string; until: string }): JSX.Element {
  const copied = useSignal<boolean | undefined>(undefined);
  const copy = async () => {
    const input = field('share-address');
    input.select();
    try {
      await navigator.clipboard.writeText(address);
      copied.value = true;
    } catch {
      copied.value = false; // without HTTPS there is no clipboard: the address is selected
    }
  };
  return (
    <div class="answer">
      <p>
        <label for="share-address">{t('share.made', { day: day(until) })}</label>
      </p>
      <input id="share-address" readOnly value={address} lang="en" onFocus={(event) => event.currentTarget.select()} />
      <Button name="share-copy" onClick={copy}>
        {t('share.copy')}
      </Button>
      <p role="status">{copied.value !== undefined && t(copied.value ? 'share.copied' : 'share.selected')}</p>
      <p class="quiet">{t('share.once')}</p>
    </div>
  );
}

function Open({ shares, onEnd, busy }: { shares: api.Share[]; onEnd: (share: string) => unknown; busy: boolean }): JSX.Element {
  if (shares.length === 0) return <p>{t('share.noneOpen')}</p>;
  return (
    <ul class="took">
      {shares.map(({ share, created_at, expires_at, opened_at }) => (
        <li key={share} data-share={share}>
          <span>
            {t('share.until', { made: day(created_at), until: day(expires_at) })}{' '}
            <span class="quiet">
              {opened_at
                ? t('share.opened', { day: day(opened_at), time: clock(momentOf(opened_at)) })
                : t('share.neverOpened')}
            </span>
          </span>
          <Button name={`share-end-${share}`} class="small" busy={busy} onClick={() => onEnd(share)}>
            {t('share.end')}
            <span class="unseen">: {t('share.until', { made: day(created_at), until: day(expires_at) })}</span>
          </Button>
        </li>
      ))}
    </ul>
  );
}

/** Make, see and end links. */
export default function Share({ visit }: { visit: Visit }): JSX.Element {
  const shares = useSignal<api.Share[] | undefined>(undefined);
  const everybody = useSignal(false);
  const trouble = useSignal<api.ApiError | undefined>(undefined);
  const made = useSignal<{ address: string; until: string } | undefined>(undefined);
  const busy = useSignal(false);
  const message = useSignal('');
  const attempt = async (work: () => Promise<void>) => {
    if (busy.value) return;
    busy.value = true;
    trouble.value = undefined;
    try {
      await work();
    } catch (error) {
      trouble.value = asApiError(error);
    } finally {
      busy.value = false;
    }
  };
  const list = async () => {
    shares.value = (await api.readShares(visit.officer)).shares;
  };
  const load = () =>
    attempt(async () => {
      const [, policy] = await Promise.all([list(), api.readSupervision()]);
      everybody.value = policy.paths === 'all';
    });
  useEffect(() => {
    void load();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- read when the section is opened
  }, []);
  const make = (event: Event) => {
    event.preventDefault();
    void attempt(async () => {
      message.value = '';
      const { key, expires_at } = await api.createShare(visit.officer, Number(field('share-days').value));
      made.value = { address: shareAddress(window.location.origin, { key, officer: visit.officer }), until: expires_at };
      await list();
    });
  };
  const end = (share: string) =>
    attempt(async () => {
      try {
        await api.endShare(visit.officer, share);
      } catch (error) {
        if (asApiError(error).status !== 404) throw error; // it is over already
      }
      made.value = undefined;
      message.value = t('share.ended');
      await list();
      focusOn('share-open');
    });
  return (
    <>
      {everybody.value && <p class="notice">{t('share.everybody')}</p>}
      <form onSubmit={make}>
        <label for="share-days">{t('share.days')}</label>
        <select id="share-days" data-keep="share-days">
          {DAYS.map((n) => (
            <option key={n} value={n} selected={n === USUAL}>
              {t('share.nDays', { n })}
            </option>
          ))}
        </select>
        <p class="quiet">{t('share.consent')}</p>
        <Button name="share-make" class="main" submit busy={busy.value}>
          {t('share.make')}
        </Button>
      </form>
      <div role="status">{made.value && <Made key={made.value.address} {...made.value} />}</div>
      {trouble.value && <Trouble error={trouble.value} special={{ 409: 'share.tooMany' }} again={shares.value ? undefined : load} />}
      <h3 id="share-open" tabIndex={-1}>
        {t('share.open')}
      </h3>
      {shares.value && <Open shares={shares.value} onEnd={end} busy={busy.value} />}
      <p role="status">{message.value}</p>
    </>
  );
}
