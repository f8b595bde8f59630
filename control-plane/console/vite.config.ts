import preact from '@preact/preset-vite';
import { defineConfig } from 'vite';

// The strict content security policy allows files of our own origin only: nothing is inlined.
export default defineConfig({
  plugins: [preact()],
  build: { outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
