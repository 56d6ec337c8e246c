"""Stable pseudonyms, and the DICOM elements that never leave a file."""

from __future__ import annotations

from hashlib import blake2b

from asclip.errors import AsclipError

# Keywords of PS3.15 table E.1-1 (Basic Application Level Confidentiality Profile) that name or
# help to find a person, and the dates and identifiers that link to a person.
IDENTIFIERS = frozenset(
    """
    AccessionNumber AcquisitionDate AcquisitionDateTime AcquisitionTime AdmissionID
    AdmittingDate AdmittingTime AdmittingDiagnosesDescription ContentCreatorName ContentDate
    ContentTime CountryOfResidence CurrentPatientLocation DeviceSerialNumber DeviceUID
    EthnicGroup FrameOfReferenceUID InstanceCreationDate InstanceCreationTime InstitutionAddress
    InstitutionName InstitutionalDepartmentName InsurancePlanIdentification IssuerOfPatientID
    MedicalAlerts MedicalRecordLocator MilitaryRank NameOfPhysiciansReadingStudy Occupation
    OperatorIdentificationSequence OperatorsName OtherPatientIDs OtherPatientIDsSequence
    OtherPatientNames PatientAddress PatientBirthDate PatientBirthName PatientBirthTime
    PatientComments PatientID PatientInstitutionResidence PatientInsurancePlanCodeSequence
    PatientMotherBirthName PatientName PatientReligiousPreference PatientTelephoneNumbers
    PatientTelecomInformation PerformedProcedureStepID PerformedProcedureStepStartDate
    PerformedProcedureStepStartTime PerformingPhysicianIdentificationSequence
    PerformingPhysicianName PersonAddress PersonName PersonTelephoneNumbers
    PhysiciansOfRecord PhysiciansReadingStudyIdentificationSequence ReferringPhysicianAddress
    ReferringPhysicianIdentificationSequence ReferringPhysicianName
    ReferringPhysicianTelephoneNumbers RegionOfResidence RequestAttributesSequence
    RequestedProcedureID RequestingPhysician RequestingService ResponsibleOrganization
    ResponsiblePerson ScheduledPerformingPhysicianName ScheduledProcedureStepID SeriesDate
    SeriesInstanceUID SeriesTime SOPInstanceUID StationName StudyDate StudyID StudyInstanceUID
    StudyTime TimezoneOffsetFromUTC VerifyingObserverName
    """.split()
)


def pseudonym(value: str, key: str) -> str:
    """16 hexadecimal digits that stand for `value`: keyed BLAKE2b, equal for equal input.

    Without the key (any text, kept by the site) nobody can tell which value it was, not even by
    trying all of them. Surrounding blanks do not count. Raises `AsclipError` for an empty key.

    >>> pseudonym("1234567", "a secret of the site")
    'ed58c8eef5edeac5'
    """
    if not key:
        raise AsclipError("the key of pseudonyms must not be empty; give any text and keep it")
    # BLAKE2b takes keys up to 64 bytes; hashing the key first lets it have any length.
    secret = blake2b(key.encode(), digest_size=32).digest()
    return blake2b(value.strip().encode(), key=secret, digest_size=8).hexdigest()


def is_identifier(keyword: str) -> bool:
    """True for a DICOM keyword that must never be passed on, private elements included.

    >>> is_identifier("PatientName"), is_identifier(""), is_identifier("Modality")
    (True, True, False)
    """
    return not keyword or keyword in IDENTIFIERS
