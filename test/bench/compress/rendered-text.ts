// Text as pictures, for models that read text: lines and pages in several fonts and sizes, inks and papers, a
// little turned, blurred and noisy. The same seed gives the same picture on one machine's fonts.

import sharp, { type Sharp } from 'sharp';
import { seededUniform } from '../seeded-uniform.ts';
import { MissingPart } from './subject.ts';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] uint8. */
  readonly pixels: Uint8Array;
}

export type Uniform = () => number;

const FONTS = ['DejaVu Sans', 'DejaVu Serif', 'DejaVu Sans Mono', 'Liberation Sans', 'Liberation Serif'];
const WORDS = [
  'pump', 'Valve', 'LINE', 'open', 'Warning', 'pressure', 'Belt', 'SERIAL', 'motor', 'Keep', 'clear', 'Total', 'invoice',
  'Station', 'north', 'GATE', 'Ready', 'shift', 'Order', 'batch', 'Fuel', 'Voltage', 'limit', 'spare', 'Inspect', 'depth',
]; // prettier-ignore
const NOISE = 10;

export const textUniform = (seed: number): Uniform => seededUniform(seed);

export function pick<T>(from: readonly T[], uniform: Uniform): T {
  return from[Math.floor(uniform() * from.length)] as T;
}

/** One to three words and numbers. */
export function drawText(uniform: Uniform): string {
  const count = 1 + Math.floor(uniform() * 3);
  return Array.from({ length: count }, () =>
    uniform() < 0.3 ? String(Math.floor(uniform() * 10_000)) : pick(WORDS, uniform),
  ).join(' ');
}

/** One line, cropped to its ink with a small margin, `height` high and as wide as that makes it. */
export async function renderLine(text: string, height: number, uniform: Uniform): Promise<Picture> {
  const look = drawLook(uniform);
  const svg = page(1_400, 100, look.paper, textAt(text, 40, 64, 30 + 14 * uniform(), look));
  const margin = 5;
  const cropped = await sharp(svg)
    .flatten({ background: look.paper })
    .trim({ background: look.paper, threshold: 20 })
    .extend({ top: margin, bottom: margin, left: margin, right: margin, background: look.paper })
    .toBuffer()
    .catch((cause: unknown) => {
      throw new MissingPart('no font renders text: apt-get install fonts-dejavu-core', { cause });
    });
  return await finish(sharp(cropped).resize({ height }), uniform);
}

/** Lines one below another in different fonts and sizes. */
export async function renderPage(width: number, height: number, uniform: Uniform): Promise<Picture> {
  const look = drawLook(uniform);
  let body = '';
  for (let y = 40; y < height - 10;) {
    const size = 12 + 18 * uniform();
    const line = { ...drawLook(uniform), ink: look.ink, paper: look.paper };
    body += textAt(drawText(uniform), 12 + 60 * uniform(), y, size, line);
    y += size * (1.3 + uniform());
  }
  return await finish(sharp(page(width, height, look.paper, body)), uniform);
}

/** The picture turned by 180 degrees. */
export function upsideDown({ width, height, pixels }: Picture): Picture {
  const turned = new Uint8Array(pixels.length);
  for (let at = 0; at < pixels.length; at += 3)
    turned.set(pixels.subarray(at, at + 3), pixels.length - 3 - at);
  return { width, height, pixels: turned };
}

interface Look {
  readonly font: string;
  readonly weight: string;
  readonly ink: string;
  readonly paper: string;
  readonly angle: number;
}

function drawLook(uniform: Uniform): Look {
  const dark = Math.floor(80 * uniform());
  const light = 170 + Math.floor(85 * uniform());
  const isInverse = uniform() < 0.2;
  const grey = (value: number): string => `rgb(${value},${value},${value})`;
  return {
    font: pick(FONTS, uniform),
    weight: uniform() < 0.3 ? 'bold' : 'normal',
    ink: grey(isInverse ? light : dark),
    paper: grey(isInverse ? dark : light),
    angle: 3 * (uniform() - 0.5),
  };
}

function textAt(text: string, x: number, y: number, size: number, look: Look): string {
  return `<text x="${x}" y="${y}" font-family="${look.font}" font-size="${size}" font-weight="${look.weight}" fill="${look.ink}" transform="rotate(${look.angle} ${x} ${y})">${text}</text>`;
}

function page(width: number, height: number, paper: string, body: string): Buffer {
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="${width}" height="${height}" fill="${paper}"/>${body}</svg>`,
  );
}

async function finish(image: Sharp, uniform: Uniform): Promise<Picture> {
  const { data, info } = await image
    .flatten()
    .blur(0.3 + uniform())
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const strength = NOISE * uniform();
  const pixels = Uint8ClampedArray.from(data, (value) => value + strength * (uniform() + uniform() - 1));
  if (info.channels !== 3) throw new RangeError(`${info.channels} channels`);
  return { width: info.width, height: info.height, pixels: new Uint8Array(pixels.buffer) };
}
