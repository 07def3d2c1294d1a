/** The browser's formatters of numbers, dates and plurals. Each is made once, because making one takes long. */

import type { Formatters } from 'intl-messageformat';

type Locales = string | string[];

function once<Options, Format>(make: (locales?: Locales, options?: Options) => Format): (locales?: Locales, options?: Options) => Format {
  const made = new Map<string, Format>();
  return (locales, options) => {
    const name = JSON.stringify([locales, options]);
    const found = made.get(name) ?? make(locales, options);
    made.set(name, found);
    return found;
  };
}

type MoreFormatters = Formatters & { getLanguageNames: (locale: string) => Intl.DisplayNames };

export const formatters: MoreFormatters = {
  getNumberFormat: once((locales, options) => new Intl.NumberFormat(locales, options as Intl.NumberFormatOptions)),
  getDateTimeFormat: once((locales, options) => new Intl.DateTimeFormat(locales, options)),
  getPluralRules: once((locales, options) => new Intl.PluralRules(locales, options)),
  getLanguageNames: once((locales) => new Intl.DisplayNames(locales, { type: 'language' })),
};
