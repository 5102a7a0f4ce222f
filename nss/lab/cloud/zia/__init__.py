"""The lab's ZIA: Zscaler's sign-ins, URL categories, activation, and what a gateway's policy shows.

It keeps to what is documented and to replies of the vendor that were recorded; where neither
says anything, it gives the likely reply, and a switch gives the other.
"""

from nss.lab.cloud.zia.categories import Categories, Change
from nss.lab.cloud.zia.limits import REAL_RATES, Rate
from nss.lab.cloud.zia.refusals import LockForm, ThrottleForm
from nss.lab.cloud.zia.server import Zia

__all__ = ["REAL_RATES", "Categories", "Change", "LockForm", "Rate", "ThrottleForm", "Zia"]
