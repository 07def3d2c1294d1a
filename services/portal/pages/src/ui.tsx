/** The small components of the pages. */

import { signal } from '@preact/signals';
import { options } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ButtonHTMLAttributes, ComponentChildren, InputHTMLAttributes, JSX } from 'preact';
import { day, isoDay } from './formats';
import { type Key, Localized, t, type Text } from './i18n';
import { keepPlaced, placed } from './place';

type ButtonProps = Omit<ButtonHTMLAttributes, 'onClick' | 'name'> & {
  /** Names the button among its kind, for tests: it stays the same when the page's words change. */
  name: string;
  busy?: boolean | undefined;
  submit?: boolean;
  onClick?: () => unknown;
};

/** A button; while `busy` it keeps the focus and does nothing, so that nothing is sent twice. */
export function Button({ name, busy = false, submit = false, onClick, children, ...attributes }: ButtonProps): JSX.Element {
  return (
    <button
      {...attributes}
      type={submit ? 'submit' : 'button'}
      data-keep={name}
      aria-disabled={busy ? 'true' : undefined}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.();
      }}
    >
      {children}
    </button>
  );
}

/** A text for screen readers: the course of a button. */
export const About = ({ title }: { title: Text }): JSX.Element => (
  <span class="unseen">
    : <Localized text={title} />
  </span>
);

interface SectionProps {
  name: string;
  title: Key;
  why?: Key;
  /** Whether links of the page have this as their target. */
  target?: boolean;
  children: ComponentChildren;
}

/** A section with its heading, whose id is `NAME-title`. */
export function Section({ name, title, why, target = false, children }: SectionProps): JSX.Element {
  return (
    <section class={name} aria-labelledby={`${name}-title`}>
      <h2 id={`${name}-title`} {...(target ? { tabIndex: -1 } : {})}>
        {t(title)}
      </h2>
      {why && <p class="quiet">{t(why)}</p>}
      {children}
    </section>
  );
}

/** Whether the page is being printed: then all of it is drawn. */
export const printing = signal(false);

/** Draw everything now, because a browser prints right after this event. */
export function drawForPaper(): void {
  options.debounceRendering = (draw) => draw();
  printing.value = true;
  delete options.debounceRendering;
}

interface DisclosureProps {
  name: string;
  summary: ComponentChildren;
  /** Whether it is open from the beginning. */
  open?: boolean;
  /** Whether it is drawn when the page is printed; the page opens it then. */
  printed?: boolean;
  onOpen?: () => unknown;
  children: () => ComponentChildren;
}

/** A part that opens, and is open again after the page is reloaded. Its contents are drawn when it is opened, because a page has many such parts. */
export function Disclosure({ name, summary, open = false, printed = false, onOpen, children }: DisclosureProps): JSX.Element {
  const [first] = useState(() => (placed(name) as boolean | undefined) ?? open);
  const [opened, setOpened] = useState(first);
  return (
    <details
      data-keep={name}
      open={first}
      onToggle={({ currentTarget: { open: isOpen } }) => {
        keepPlaced(name, isOpen === open ? undefined : isOpen);
        if (!isOpen) return;
        setOpened(true);
        onOpen?.();
      }}
    >
      <summary>{summary}</summary>
      {(opened || (printed && printing.value)) && children()}
    </details>
  );
}

const waiting: (() => void)[] = [];

/** Draw a part in a separate task after those that are waiting, so that the reader's actions are handled in between. */
function inTurn(draw: () => void): void {
  waiting.push(draw);
  if (waiting.length === 1) afterFrame(drawNext);
}

/** Run a function after the next frame is painted, so that two parts are not laid out at once; a page in the background has no frames. */
function afterFrame(run: () => void): void {
  if (document.hidden) setTimeout(run);
  else requestAnimationFrame(() => setTimeout(run));
}

function drawNext(): void {
  const draw = waiting.shift();
  if (waiting.length > 0) afterFrame(drawNext);
  draw?.();
}

interface AfterPaintProps {
  /** Whether it is drawn at once after all. */
  first?: boolean;
  children: () => ComponentChildren;
}

/** Draws its children after everything above them is painted, so that a reader sees that first. */
export function AfterPaint({ first = false, children }: AfterPaintProps): JSX.Element | null {
  const [painted, setPainted] = useState(first);
  useEffect(() => {
    if (!painted) inTurn(() => setPainted(true)); // effects run after a paint
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what is drawn stays
  }, []);
  return painted || printing.value ? <>{children()}</> : null;
}

/** What is wrong with an entry; empty if it is right. */
export const Wrong = ({ id, children }: { id: string; children: ComponentChildren }): JSX.Element => (
  <p class="wrong" id={id} role="alert">
    {children}
  </p>
);

interface DateFieldProps {
  id: string;
  label: string;
  value?: string | null | undefined;
  min?: string;
  max?: string;
  required?: boolean;
  /** The id of the error message for it. */
  wrong?: string | undefined;
}

/** A date field with its day in words beside it, because Thai years differ. */
export function DateField({ id, label, value, wrong, ...limits }: DateFieldProps): JSX.Element {
  const [chosen, choose] = useState(value ?? '');
  return (
    <div>
      <label for={id}>{label}</label>
      <input
        {...limits}
        id={id}
        type="date"
        autocomplete="off"
        data-keep={id}
        value={chosen}
        aria-describedby={wrong ? `${wrong} ${id}-words` : `${id}-words`}
        aria-invalid={wrong ? 'true' : undefined}
        onInput={(event) => choose(event.currentTarget.value)}
      />
      <p class="quiet in-words" id={`${id}-words`}>
        {chosen && day(chosen)}
      </p>
    </div>
  );
}

/** Return a field of the page by its id. Throws if there is none. */
export function field(id: string): HTMLInputElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no field ${id}`);
  return found as HTMLInputElement;
}

/** Return today as date fields write it. */
export const today = (): string => isoDay();
/** Return noon of a day where the reader is, as ISO 8601 in UTC. */
export const noonOf = (date: string): string => new Date(`${date}T12:00:00`).toISOString();

interface EntryFormProps {
  name: string;
  title: Key;
  why: Key;
  label: Key;
  hint: Key;
  button: Key;
  complaint: Key | undefined;
  input: InputHTMLAttributes;
  /** The level of its heading: 2 on a page with other headings. */
  level?: 1 | 2;
  onEntry: (value: string) => unknown;
}

/** A screen with one field and one button. */
export function EntryForm({ name, title, why, label, hint, button, complaint, input, level = 1, onEntry }: EntryFormProps): JSX.Element {
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    await onEntry(field(name).value.trim());
    setBusy(false);
  };
  return (
    <Message title={title} why={why} level={level} id={`${name}-title`}>
      <form noValidate onSubmit={submit}>
        <label for={name}>{t(label)}</label>
        <p class="quiet" id={`${name}-hint`}>
          {t(hint)}
        </p>
        <input
          id={name}
          name={name}
          required
          autocomplete="off"
          spellcheck={false}
          autocapitalize="none"
          aria-describedby={complaint ? `${name}-wrong ${name}-hint` : `${name}-hint`}
          aria-invalid={complaint ? 'true' : undefined}
          {...input}
        />
        <Wrong id={`${name}-wrong`}>{complaint && t(complaint)}</Wrong>
        <Button name={`${name}-send`} class="main" submit busy={busy}>
          {t(button)}
        </Button>
      </form>
    </Message>
  );
}

interface MessageProps {
  title: Key;
  why?: Key;
  level?: 1 | 2;
  id?: string;
  children?: ComponentChildren;
}

/** A screen with one message, and what to do. */
export function Message({ title, why, level = 1, id = 'page-title', children }: MessageProps): JSX.Element {
  const Heading = `h${level}` as const;
  return (
    <section class="message" aria-labelledby={id}>
      <Heading id={id}>{t(title)}</Heading>
      {why && <p>{t(why)}</p>}
      {children}
    </section>
  );
}
