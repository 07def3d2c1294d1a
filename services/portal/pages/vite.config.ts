import { defineConfig } from 'vite';

const portal = `http://127.0.0.1:${process.env.PORT ?? '8100'}`;

/** The portal serves `dist/index.html` at `/` and what lies in `dist/static` under its hashed name. */
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    assetsDir: 'static',
    assetsInlineLimit: 0, // the policy allows no data: addresses
    target: 'es2022',
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
  },
  server: { proxy: Object.fromEntries(['/api', '/docs', '/session', '/v1'].map((path) => [path, portal])) },
});
