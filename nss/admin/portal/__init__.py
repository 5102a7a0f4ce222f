"""The portal: set up, test, watch and change NSS in a browser.

Pages are rendered here and work by plain links and forms; htmx brings live parts and validation as
one types. A page asks `nss.admin.operations` and calls `nss.setup`, as the command line does: there
is no second way to do anything. `guard` stands before every request, `view` is what page modules
work with, `app` puts them together.
"""
