/** A table that may be wider than the window. */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from './i18n';

interface WideProps {
  'aria-label'?: string;
  'aria-labelledby'?: string;
  children: ComponentChildren;
}

/** A table that scrolls by itself if it is wider than its place, also with the keyboard; a sentence says so. */
export function Wide({ children, ...name }: WideProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const scrolls = useSignal(false);
  useEffect(() => {
    const seen = new ResizeObserver(([entry]) => {
      if (entry) scrolls.value = entry.target.scrollWidth > entry.target.clientWidth;
    });
    if (box.current) seen.observe(box.current); // its height changes when the table is drawn or shown
    return () => seen.disconnect();
  }, [scrolls]);
  return (
    <>
      {scrolls.value && <p class="quiet scrolls">{t('scrolls')}</p>}
      {/* eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex -- what scrolls must be reached by the keyboard */}
      <div class="scroll" ref={box} tabIndex={0} role="region" {...name}>
        {children}
      </div>
    </>
  );
}
