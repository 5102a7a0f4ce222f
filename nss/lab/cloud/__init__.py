"""A stand-in for Microsoft's cloud on loopback: Entra, the MCAS API and its blob storage, over TLS.

They speak the documented protocols and nothing more; where a reply is not documented, the lab
gives the likely one, and a switch gives the other.
"""

from nss.lab.cloud.faults import Fault, finalize_fault
from nss.lab.cloud.lab import CloudLab
from nss.lab.cloud.notes import Request
from nss.lab.cloud.uploads import Upload

__all__ = ["CloudLab", "Fault", "Request", "Upload", "finalize_fault"]
