import { readFileSync } from 'node:fs';
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

const thai = JSON.parse(readFileSync(new URL('locales/th.json', import.meta.url), 'utf-8')) as Record<string, string>;

/** Writes the words of the head into the index, which is shown before any code is here, and `early.ts` with the files of the officers' page. */
const index: Plugin = {
  name: 'index',
  transformIndexHtml: {
    order: 'post',
    handler(html, { bundle }) {
      const chunks = Object.values(bundle ?? {}).filter((one) => one.type === 'chunk');
      const [page, early] = ['officer/page.tsx', 'early.ts'].map((name) => chunks.find((one) => one.facadeModuleId?.endsWith(`/src/${name}`)));
      const files = page ? [page.fileName, ...page.imports].filter((file) => !html.includes(file)) : [];
      return {
        html: html.replace(/%(\w+)%/g, (_, key: string) => thai[key] ?? ''),
        tags: early
          ? [
              {
                tag: 'script',
                attrs: { type: 'module', async: true, crossorigin: true, src: `/${early.fileName}`, 'data-files': files.map((file) => `/${file}`).join(' ') },
                injectTo: 'head' as const,
              },
            ]
          : [],
      };
    },
  },
};

/** The portal serves `dist/index.html` at `/` and what lies in `dist/static` under its hashed name. */
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [parsedMessages, index],
  resolve: { alias: [{ find: /^@formatjs\/icu-messageformat-parser$/, replacement: '@formatjs/icu-messageformat-parser/no-parser.js' }] },
  build: {
    assetsDir: 'static',
    assetsInlineLimit: 0, // the policy allows no data: addresses
    target: 'es2022',
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ['index.html', 'src/early.ts'],
      // What stands in src/ itself and the packages come at once, in one file; what stands in a folder comes with its page.
      output: { codeSplitting: { groups: [{ name: 'common', test: /\/src\/(?!main|early)[^/]+\.tsx?$|node_modules.*\.m?js$|preload-helper/ }] } },
    },
  },
  server: { proxy: Object.fromEntries(['/api', '/docs', '/session', '/v1'].map((path) => [path, portal])) },
});
