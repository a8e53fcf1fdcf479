// Keeps the page that is looked at up to date: when the server says that something has changed, the page is fetched again
// and what is on it takes the place of what was. Nothing here makes markup of texts.
(() => {
  'use strict';
  const live = document.getElementById('live');
  let isFetching = false, isStale = false;

  const refresh = () => {
    if (isFetching || document.hidden) {
      isStale = true;
      return;
    }
    isFetching = true;
    isStale = false;
    const request = new XMLHttpRequest();
    request.open('GET', location.pathname + location.search);
    request.responseType = 'document';
    request.onload = () => {
      const next = request.responseXML && request.responseXML.querySelector('main');
      const main = document.querySelector('main');
      if (next && main) {
        replace(main, document.importNode(next, true));
      }
    };
    request.onloadend = () => {
      isFetching = false;
      if (isStale) {
        refresh();
      }
    };
    request.send();
  };

  // Where the keyboard is, what is open and how far tables are scrolled stays as it was.
  const replace = (main, next) => {
    const stops = 'a, summary, .wide';
    const focus = main.contains(document.activeElement) ? [...main.querySelectorAll(stops)].indexOf(document.activeElement) : -1;
    const open = [...main.querySelectorAll('details')].map((details) => details.open);
    const scrolled = [...main.querySelectorAll('.wide')].map((wide) => wide.scrollLeft);
    main.replaceWith(next);
    next.querySelectorAll('details').forEach((details, i) => { details.open = open[i] || false; });
    next.querySelectorAll('.wide').forEach((wide, i) => { wide.scrollLeft = scrolled[i] || 0; });
    const stop = next.querySelectorAll(stops)[focus];
    if (stop) {
      stop.focus({ preventScroll: true });
    }
  };

  const events = new EventSource('/events');
  events.addEventListener('hello', () => { live.textContent = 'live'; refresh(); });
  events.addEventListener('change', refresh);
  events.onerror = () => { live.textContent = 'not connected'; };
  document.addEventListener('visibilitychange', () => { if (!document.hidden && isStale) { refresh(); } });
})();
