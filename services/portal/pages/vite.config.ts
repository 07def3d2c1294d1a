import { parse, TYPE } from '@formatjs/icu-messageformat-parser';
import { defineConfig, type Plugin } from 'vite';

const portal = `http://127.0.0.1:${process.env.PORT ?? '8100'}`;

/** Parses the ICU messages of `locales/`, so that no browser has to. A message without values stays text. */
const parsedMessages: Plugin = {
  name: 'parsed-messages',
  enforce: 'pre',
  transform(code, id) {
    if (!/\/locales\/[^/]+\.json$/.test(id)) return undefined;
    const messages = Object.entries(JSON.parse(code) as Record<string, string>).map(([key, message]) => {
      const elements = parse(message);
      const [first] = elements;
      return [key, elements.length === 1 && first?.type === TYPE.literal ? first.value : elements];
    });
    return { code: JSON.stringify(Object.fromEntries(messages)), map: null };
  },
};

/** The portal serves `dist/index.html` at `/` and what lies in `dist/static` under its hashed name. */
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [parsedMessages],
  build: {
    assetsDir: 'static',
    assetsInlineLimit: 0, // the policy allows no data: addresses
    target: 'es2022',
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
  },
  server: { proxy: Object.fromEntries(['/api', '/docs', '/session', '/v1'].map((path) => [path, portal])) },
});
